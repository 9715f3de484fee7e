/** A server for the tests of localServer: it answers each connection with its process id, `late` only after 10 s. */
import { createServer } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'

const [, , port = '', how = ''] = process.argv
process.stdout.write(`asked for port ${port}, ${how}\n`)
if (how === 'broken') {
  process.stderr.write('the disk is on fire\n')
  process.exit(7)
}
if (how === 'stubborn') process.on('SIGTERM', () => undefined)
if (how === 'late') await wait(10_000)
createServer((socket) => socket.end(String(process.pid))).listen(Number(port), '127.0.0.1')
