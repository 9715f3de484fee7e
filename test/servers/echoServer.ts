/**
 * A server for the tests of localServer: it answers each connection with its process id, `late` only after 10 s. One that is
 * `large` has much memory to give back at its end, and its port is taken until it has.
 */
import { createServer } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'

const [, , port = '', how = ''] = process.argv
process.stdout.write(`asked for port ${port}, ${how}\n`)
if (how === 'broken') {
  process.stderr.write('the disk is on fire\n')
  process.exit(7)
}
if (how === 'stubborn') process.on('SIGTERM', () => undefined)
const memory = how === 'large' ? Buffer.alloc(512 << 20, 1) : undefined
if (how === 'late') await wait(10_000)
createServer((socket) => socket.end(String(process.pid))).listen(Number(port), '127.0.0.1')
// Kept until the end.
process.on('exit', () => memory?.length)
