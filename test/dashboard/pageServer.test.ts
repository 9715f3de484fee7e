import { once } from 'node:events'
import { connect, type AddressInfo } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { headTimeoutMs, lifetimeMs, maxConnections, PageServer } from '../../src/dashboard/pageServer.ts'
import { plain, type Reply } from '../../src/dashboard/reply.ts'
import { ManualClock } from '../../src/testing/manualClock.ts'
import { rawClient, say, type RawClient } from './rawClient.ts'

/** A machine may be busy. */
const patience = { timeout: 10_000 }

let clock = new ManualClock()
let server: PageServer | null = null
let asked: string[] = []

afterEach(async () => {
  await server?.close()
  server = null
  expect(clock.pending).toBe(0)
})

const never = new Promise<Reply>(() => undefined)

async function listen(answer: (path: string) => Promise<Reply> = () => Promise.resolve(plain(200, 'ok'))) {
  clock = new ManualClock()
  asked = []
  const options = {
    clock,
    paths: ['/', '/slow', '/healthz'],
    urgent: new Set(['/healthz']),
    answer: (path: string) => {
      asked.push(path)
      return answer(path)
    },
    pay: () => undefined,
  }
  const created = new PageServer(options)
  server = created
  created.server.listen(0, '127.0.0.1')
  await once(created.server, 'listening')
  return { port: (created.server.address() as AddressInfo).port, created }
}

const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`

test('one request is answered, and the connection ends', async () => {
  const { port } = await listen()
  const answer = await say(port, get('/'))
  expect(answer).toMatch(/^HTTP\/1\.1 200 OK\r\n/)
  expect(answer).toContain('\r\nContent-Length: 3\r\n')
  expect(answer).toContain('\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n')
  expect(answer).toMatch(/\r\nConnection: close\r\n\r\nok\n$/)
})

test('a client that closes its side after the request is answered', async () => {
  const { port } = await listen()
  const client = rawClient(port)
  client.socket.end(get('/'))
  expect(await client.ended).toContain('200 OK')
})

test('a request may come in pieces', async () => {
  const { port } = await listen()
  const { socket, ended } = rawClient(port)
  socket.setNoDelay()
  for (const piece of ['G', 'ET / HTTP/1.1\r', '\nHost: localhost\r\n\r', '\n']) {
    socket.write(piece)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  expect(await ended).toContain('200 OK')
})

test('a second request in the same breath ends the connection, and neither is answered', async () => {
  const { port } = await listen()
  expect(await say(port, get('/') + get('/'))).toBe('')
  expect(await say(port, get('/').repeat(10_000))).toBe('')
  expect(asked).toEqual([])
})

test('a second request before the first is answered ends the connection', async () => {
  const { port } = await listen(() => never)
  const { socket, ended } = rawClient(port, get('/slow'))
  await expect.poll(() => asked, patience).toEqual(['/slow'])
  socket.write(get('/slow'))
  expect(await ended).toBe('')
  expect(asked).toEqual(['/slow'])
})

test('who sends no whole head within a second is reset', async () => {
  const { port, created } = await listen()
  const clients = ['', 'GET / HTTP/1.1\r\n', `${get('/').slice(0, -2)}X: `].map((text) => rawClient(port, text))
  await expect.poll(() => created.connections, patience).toBe(3)
  await clock.advance(headTimeoutMs)
  expect(await Promise.all(clients.map(({ ended }) => ended))).toEqual(['', '', ''])
  await expect.poll(() => created.connections, patience).toBe(0)
})

test('a byte at a time is no way to keep it busy', async () => {
  const { port } = await listen()
  const { socket, ended } = rawClient(port, 'GET / HTTP/1.1\r\nA: ')
  socket.setNoDelay()
  const drip = setInterval(() => socket.write('a'), 1)
  expect(await ended).toBe('')
  clearInterval(drip)
  expect(socket.bytesWritten).toBeLessThan(8_192)
})

test.each([
  ['a head that is too large', `GET / HTTP/1.1\r\nHost: localhost\r\nA: ${'a'.repeat(10_000)}\r\n\r\n`, 431],
  ['a head without an end', `GET / HTTP/1.1\r\nHost: localhost\r\nA: ${'a'.repeat(10_000)}`, 431],
  ['two hosts', 'GET / HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n', 400],
  ['another protocol', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', 400],
  [
    'a body that is not read',
    `POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10000\r\n\r\n${'x'.repeat(10_000)}`,
    405,
  ],
  ['chunks', 'GET / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n', 400],
  ['a path that is none', get('/%2e%2e/package.json'), 404],
])('%s is answered in plain words and nothing more', async (_, text, status) => {
  const { port } = await listen()
  const answer = await say(port, text)
  expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${String(status)} `))
  expect(answer).toContain('Content-Type: text/plain')
  expect(answer).not.toMatch(/\n +at |Error:|node:/)
  expect(asked).toEqual([])
})

test('who goes on sending what is refused is cut off', async () => {
  const { port } = await listen()
  const { socket, ended } = rawClient(port, 'POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000000\r\n\r\n')
  const more = setInterval(() => socket.write('x'.repeat(10_000)), 1)
  expect(await ended).toMatch(/^(?:HTTP\/1\.1 405 |$)/)
  clearInterval(more)
  expect(socket.bytesWritten).toBeLessThan(10_000_000)
})

test('who does not read the answer is dropped with all of it after ten seconds', async () => {
  const body = Buffer.alloc(32 * 1024 * 1024, 'x')
  const { port, created } = await listen(() => Promise.resolve({ status: 200, type: 'text/plain', body }))
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => undefined)
  socket.pause()
  socket.write(get('/'))
  await expect.poll(() => asked, patience).toEqual(['/'])
  await clock.advance(lifetimeMs - 1)
  expect(created.connections).toBe(1)
  await clock.advance(1)
  await expect.poll(() => created.connections, patience).toBe(0)
  socket.destroy()
})

test('with too many connections the oldest gives way to the newest', async () => {
  const { port, created } = await listen()
  const silent: RawClient[] = []
  for (let count = 0; count < maxConnections + 20; count += 1) {
    const client = rawClient(port)
    await once(client.socket, 'connect')
    silent.push(client)
  }
  expect(await Promise.all(silent.slice(0, 20).map(({ ended }) => ended))).toHaveLength(20)
  expect(await say(port, get('/'))).toContain('200 OK')
  expect(created.connections).toBeLessThanOrEqual(maxConnections)
  for (const { socket } of silent) socket.destroy()
})

test('a health check that waits is the last to give way', async () => {
  let healthy: (reply: Reply) => void = () => undefined
  const { port } = await listen((path) =>
    path === '/healthz' ? new Promise<Reply>((resolve) => (healthy = resolve)) : never,
  )
  const check = rawClient(port, get('/healthz'))
  await expect.poll(() => asked, patience).toEqual(['/healthz'])
  const others = Array.from({ length: 2 * maxConnections }, () => rawClient(port, get('/slow')))
  await Promise.all(others.slice(0, maxConnections).map(({ ended }) => ended))
  healthy(plain(200, 'healthy'))
  expect(await check.ended).toContain('healthy')
  for (const { socket } of others) socket.destroy()
})
