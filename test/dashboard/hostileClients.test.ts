import { once } from 'node:events'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Secrets } from '../../src/core/secrets.ts'
import { startDashboard, type Dashboard } from '../../src/dashboard/startDashboard.ts'
import { silentLogger } from '../../src/core/ports/logger.ts'
import { JobMetrics } from '../../src/runtime/metrics/jobMetrics.ts'
import { ManualClock } from '../../src/testing/world/manualClock.ts'
import { rawClient, say } from './rawClient.ts'

/** Counts how often the page looks at the run. */
class CountedMetrics extends JobMetrics {
  looks = 0

  override get tasks(): JobMetrics['tasks'] {
    this.looks += 1
    return super.tasks
  }
}

let metrics: CountedMetrics
let dashboard: Dashboard
let port = 0

beforeEach(async () => {
  const clock = new ManualClock()
  metrics = new CountedMetrics('test', clock)
  const running = { metrics }
  dashboard = await startDashboard({
    running,
    port: 28_181,
    explicit: false,
    log: silentLogger,
    secrets: new Secrets(),
    world: 'test',
    clock,
  })
  port = Number(new URL(dashboard.address ?? '').port)
})

afterEach(async () => {
  await dashboard.close()
})

const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`

test('a thousand pipelined requests on one socket are a closed connection', async () => {
  expect(await say(port, get('/metrics').repeat(1_000))).toBe('')
  expect(await say(port, get('/healthz'))).toContain('200 OK')
})

test('a hundred sockets that send no whole head keep nobody out, and are reset after a second', async () => {
  const slow = Array.from({ length: 100 }, () => rawClient(port, 'GET / HTTP/1.1\r\nHost: localhost\r\n'))
  await Promise.all(slow.map(({ socket }) => once(socket, 'connect')))
  const answers = await Promise.all(['/healthz', '/readyz', '/', '/metrics'].map((path) => say(port, get(path))))
  expect(answers.map((answer) => answer.slice(9, 12))).toEqual(['200', '503', '200', '200'])
  // Far less than the thirty seconds of a server that looks at them now and then.
  const reset = Promise.all(slow.map(({ ended }) => ended))
  await expect(Promise.race([reset, new Promise((resolve) => setTimeout(resolve, 10_000))])).resolves.toHaveLength(100)
})

test('two hosts are refused, and an Expect, a body, another method and another protocol in plain words', async () => {
  const statusOf = async (head: string): Promise<string> => (await say(port, `${head}\r\n\r\n`)).slice(9, 12)
  expect(await statusOf('GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example')).toBe('400')
  expect(await statusOf('GET / HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue')).toBe('417')
  expect(await statusOf('GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3')).toBe('400')
  expect(await statusOf('CONNECT localhost:22 HTTP/1.1\r\nHost: localhost')).toBe('405')
  expect(await statusOf('\x16\x03\x01')).toBe('400')
})

test('sixty who ask for the metrics are a few looks at the run', async () => {
  await say(port, get('/metrics'))
  const perScrape = metrics.looks
  expect(perScrape).toBeGreaterThan(0)
  await new Promise((resolve) => setTimeout(resolve, 600))
  metrics.looks = 0
  const answers = await Promise.all(Array.from({ length: 60 }, () => say(port, get('/metrics'))))
  expect(answers.filter((answer) => answer.includes('tidemark_info'))).toHaveLength(60)
  expect(metrics.looks).toBeLessThanOrEqual(10 * perScrape)
})
