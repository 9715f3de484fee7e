import { expect, test } from 'vitest'
import { readRequestHead } from '../../src/dashboard/requestHead.ts'

const host = 'Host: localhost'

function read(...lines: readonly string[]) {
  return readRequestHead(lines.join('\r\n'))
}

test('a browser, a scraper and a probe are understood', () => {
  const headers = ['Host: 127.0.0.1:8081', 'User-Agent: Mozilla/5.0', 'Accept: */*', 'X-Empty:', 'Cookie: a="b"; c=ü']
  expect(read('GET /metrics HTTP/1.1', ...headers)).toEqual({ path: '/metrics', withBody: true })
  expect(read('GET /?a=b&c#d HTTP/1.0', host)).toEqual({ path: '/', withBody: true })
  expect(read('HEAD /healthz HTTP/1.1', 'HOST:\tlocalhost:1 ', 'Content-Length: 0')).toEqual({
    path: '/healthz',
    withBody: false,
  })
})

test('an upgrade that is offered is not taken, and the page is shown', () => {
  const offer = ['Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA']
  expect(read('GET / HTTP/1.1', host, ...offer)).toMatchObject({ path: '/' })
})

test.each([
  [400, ['']],
  [400, ['GET']],
  [400, ['GET  / HTTP/1.1', host]],
  [400, ['GET / HTTP/1.1 ', host]],
  [400, ['GET /\t HTTP/1.1', host]],
  [400, ['GET /ü HTTP/1.1', host]],
  [400, ['GET / http/1.1', host]],
  [400, ['GET / HTTP/1.1\nHost: localhost']],
  [400, ['GET / HTTP/1.1', 'Host : localhost']],
  [400, ['GET / HTTP/1.1', host, ' folded']],
  [400, ['GET / HTTP/1.1', host, 'no colon']],
  [400, ['GET / HTTP/1.1', host, 'A: \0']],
  [400, ['GET / HTTP/1.1', host, 'A: b\rB: c']],
  [400, ['GET / HTTP/1.1', host, '']],
  [400, ['GET / HTTP/1.1']],
  [400, ['GET / HTTP/1.1', 'Host:']],
  [400, ['GET / HTTP/1.1', host, host]],
  [400, ['GET / HTTP/1.1', host, 'hOST: evil.example']],
  [400, ['GET http://localhost/ HTTP/1.1', host]],
  [400, ['GET * HTTP/1.1', host]],
  [400, ['GET / HTTP/1.1', host, 'Content-Length: 5']],
  [400, ['GET / HTTP/1.1', host, 'Content-Length: 0', 'Content-Length: 5']],
  [400, ['GET / HTTP/1.1', host, 'Transfer-Encoding: chunked']],
  [405, ['POST / HTTP/1.1', host, 'Content-Length: 5']],
  [405, ['TRACE / HTTP/1.1', host]],
  [405, ['CONNECT localhost:22 HTTP/1.1', host]],
  [405, ['OPTIONS * HTTP/1.1', host]],
  [405, ['get / HTTP/1.1', host]],
  [414, [`GET /${'a'.repeat(1_024)} HTTP/1.1`, host]],
  [417, ['GET / HTTP/1.1', host, 'Expect: 100-continue']],
  [421, ['GET / HTTP/1.1', 'Host: evil.example']],
  [421, ['GET / HTTP/1.0']],
  [421, ['POST / HTTP/1.1', 'Host: evil.example']],
  [431, ['GET / HTTP/1.1', host, ...Array.from({ length: 64 }, () => 'a: b')]],
  [505, ['PRI * HTTP/2.0']],
])('%i is what %j is answered with', (status, lines) => {
  expect(read(...lines)).toMatchObject({ status, type: 'text/plain; charset=utf-8' })
})
