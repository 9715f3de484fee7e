import { processIo } from './cliIo.ts'
import { runCli } from './runCli.ts'

// The launcher imports this file in order to run the command line it was started with.
process.exitCode = await runCli(process.argv.slice(2), processIo())
// A read that was given up, as after a bad line, must not keep the process alive.
process.stdin.destroy()
