import { once } from 'node:events'
import { connect, type AddressInfo } from 'node:net'
import { setImmediate } from 'node:timers/promises'
import { afterEach, expect, test, vi } from 'vitest'
import { headTimeoutMs, lifetimeMs } from '../../src/dashboard/pageConnection.ts'
import { maxConnections, PageServer } from '../../src/dashboard/pageServer.ts'
import { plainReply, type Reply } from '../../src/dashboard/snapshots.ts'
import { ManualClock } from '../../src/testing/world/manualClock.ts'
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

async function listen(answer: (path: string) => Promise<Reply> = () => Promise.resolve(plainReply(200, 'ok'))) {
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
  // Of the last two, an empty line and a head of HTTP/2, node:http says nothing.
  const texts = ['', 'GET / HTTP/1.1\r\n', `${get('/').slice(0, -2)}X: `, '\r\n\r\n', 'PRI * HTTP/2.0\r\n\r\n']
  const clients = texts.map((text) => rawClient(port, text))
  await expect.poll(() => created.connections, patience).toBe(texts.length)
  await clock.advance(headTimeoutMs)
  expect(await Promise.all(clients.map(({ ended }) => ended))).toEqual(texts.map(() => ''))
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

const host = 'Host: localhost'

test.each([
  [200, ['GET /?a=b&c#d HTTP/1.0', host]],
  [200, ['HEAD /healthz HTTP/1.1', 'HOST:\tlocalhost:1 ', 'Content-Length: 0']],
  [200, ['GET / HTTP/1.1', 'Host: 127.0.0.1:8081', 'User-Agent: Mozilla/5.0', 'X-Empty:', 'Cookie: a="b"; c=ü']],
  // An upgrade that is offered is not taken, and the page is shown.
  [200, ['GET / HTTP/1.1', host, 'Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABk']],
  [400, ['GET']],
  [400, ['GET / HTTP/1.1 ', host]],
  [400, ['GET /\t HTTP/1.1', host]],
  [400, ['GET / http/1.1', host]],
  [400, ['GET / HTTP/1.1\nHost: localhost']],
  [400, ['GET / HTTP/1.1\nHost: localhost\n\nGET / HTTP/1.1', host]],
  [400, ['GET / HTTP/1.1\rHost: localhost\r\rGET / HTTP/1.1', host]],
  [400, ['GET / HTTP/1.1', 'Host: localhost\n\nGET / HTTP/1.1', host]],
  [400, ['GET / HTTP/1.1', 'Host : localhost']],
  [400, ['GET / HTTP/1.1', host, ' folded']],
  [400, ['GET / HTTP/1.1', host, 'no colon']],
  [400, ['GET / HTTP/1.1', host, 'A: \0']],
  [400, ['GET / HTTP/1.1', host, 'A: b\rB: c']],
  [400, ['GET / HTTP/1.1']],
  [400, ['GET / HTTP/1.1', 'Host:']],
  [400, ['GET / HTTP/1.1', host, 'hOST: evil.example']],
  [400, ['GET http://localhost/ HTTP/1.1', host]],
  [400, ['GET / HTTP/1.1', host, 'Content-Length: 5']],
  [400, ['GET / HTTP/1.1', host, 'Content-Length: 0', 'Content-Length: 5']],
  [400, ['get / HTTP/1.1', host]],
  [405, ['POST / HTTP/1.1', host, 'Content-Length: 5']],
  [405, ['TRACE / HTTP/1.1', host]],
  [405, ['CONNECT localhost:22 HTTP/1.1', host]],
  [405, ['OPTIONS * HTTP/1.1', host]],
  [414, [`GET /${'a'.repeat(1_024)} HTTP/1.1`, host]],
  [417, ['GET / HTTP/1.1', host, 'Expect: 100-continue']],
  [417, ['GET / HTTP/1.1', host, 'Expect: much']],
  [421, ['GET / HTTP/1.1', 'Host: evil.example']],
  [200, ['GET / HTTP/1.0']],
  [421, ['GET / HTTP/1.0', 'Host: evil.example']],
  [421, ['POST / HTTP/1.1', 'Host: evil.example']],
  [431, ['GET / HTTP/1.1', host, ...Array.from({ length: 64 }, () => 'a: b')]],
  [431, ['GET / HTTP/1.1', host, ...Array.from({ length: 64 }, () => `A: ${'a'.repeat(200)}`)]],
  [431, ['GET / HTTP/1.1', ...Array.from({ length: 2_000 }, () => 'a:'), host]],
  [505, ['GET / HTTP/2.0', host]],
])('%i is what %.200j is answered with', async (status, lines) => {
  const { port } = await listen()
  const answer = await say(port, `${lines.join('\r\n')}\r\n\r\n`)
  expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${String(status)} `))
  expect(answer).toContain('\r\nContent-Type: text/plain')
  expect(answer).toContain("\r\nContent-Security-Policy: default-src 'none'")
  expect(asked).toHaveLength(status === 200 ? 1 : 0)
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

test('a health check is answered at once, and of what else is asked one thing in each turn', async () => {
  const { port, created } = await listen()
  const turns: (() => void)[] = []
  vi.spyOn(clock, 'soon').mockImplementation((turn) => turns.push(turn))
  const others = Array.from({ length: 20 }, () => rawClient(port, get('/')))
  await expect.poll(() => created.connections, patience).toBe(20)
  expect(await say(port, get('/healthz'))).toContain('200 OK')
  await expect.poll(() => turns.length, patience).toBe(1)
  expect(asked).toEqual(['/healthz'])
  while (asked.length <= others.length) {
    const before = asked.length
    await expect.poll(() => turns.length, patience).toBe(1)
    turns.shift()?.()
    await setImmediate()
    expect(asked.length).toBeLessThanOrEqual(before + 1)
  }
  await Promise.all(others.map(({ ended }) => ended))
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
  healthy(plainReply(200, 'healthy'))
  expect(await check.ended).toContain('healthy')
  for (const { socket } of others) socket.destroy()
})
