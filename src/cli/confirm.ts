import type { CliIo } from './cliIo.ts'

/** Asks a person, who answers y or yes. Where nobody can be asked the answer is yes: the flag was asking enough. */
export async function confirm(io: CliIo, question: string): Promise<boolean> {
  if (!io.stdinIsTerminal || io.stderr.isTTY !== true) return true
  io.stderr.write(`${question} [y/N] `)
  // A terminal hands over a line at a time.
  for await (const line of io.stdin) return /^\s*y(es)?\s*$/i.test(line.toString())
  return false
}
