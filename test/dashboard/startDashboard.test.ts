import { TidemarkError } from '../../src/core/errors.ts'
import { request } from 'node:http'
import { createServer, type AddressInfo } from 'node:net'
import { tap } from 'rxjs'
import { afterEach, expect, test } from 'vitest'
import { fromKafka } from '../../operators/fromKafka.ts'
import { toKafkaTransactional } from '../../operators/toKafka.ts'
import { startDashboard, type Dashboard } from '../../src/dashboard/startDashboard.ts'
import type { RunningJob } from '../../src/runtime/job/startJob.ts'
import { JobMetrics, type MeasuredTask } from '../../src/runtime/metrics/jobMetrics.ts'
import { Secrets } from '../../src/core/secrets.ts'
import { silentLogger } from '../../src/core/ports/logger.ts'
import { failure, MemoryJob, type TestPipeline } from '../support/memoryJob.ts'
import { parseScrape } from './scrape.ts'

const copy: TestPipeline = (context) =>
  fromKafka(context, { topic: 'in', groupId: 'g' }).pipe(toKafkaTransactional(context, { topic: 'out' }))

let dashboard: Dashboard | null = null

afterEach(async () => {
  await dashboard?.close()
  dashboard = null
})

/** From a port that other suites do not use; taken ones are passed over. */
async function open(running: Pick<RunningJob, 'metrics'>, { clock }: MemoryJob): Promise<string> {
  dashboard = await startDashboard({
    running,
    port: 28_081,
    explicit: false,
    log: silentLogger,
    secrets: new Secrets(),
    world: 'test',
    clock,
  })
  return dashboard.address ?? ''
}

/** A task of partition 7, running unless said otherwise. */
function taskThat(does: Partial<MeasuredTask>): MeasuredTask {
  return {
    partition: 7,
    state: 'running',
    trouble: null,
    troubledMs: 0,
    epochRecords: 0,
    pending: 0,
    gate: { closures: 0, closedMs: 0 },
    figures: [],
    lag: () => Promise.resolve(new Map()),
    ...does,
  }
}

interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: string
}

function ask(url: string, options: { method?: string; headers?: Record<string, string> } = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { agent: false, ...options }, (response) => {
      const parts: Buffer[] = []
      response.on('data', (part: Buffer) => parts.push(part))
      response.on('end', () => {
        const { statusCode: status = 0, headers } = response
        resolve({ status, headers, body: Buffer.concat(parts).toString() })
      })
    })
    sent.on('error', reject)
    sent.end()
  })
}

function following(values: readonly string[]): { job: MemoryJob; running: RunningJob } {
  const job = new MemoryJob()
  job.log.ensureTopic('in')
  job.write('in', values)
  return { job, running: job.start(copy, { follow: true }) }
}

async function stop(job: MemoryJob, running: RunningJob): Promise<void> {
  running.stop()
  await job.clock.runUntil(running.finished)
}

test('the page, its data and the metrics answer while the job runs', async () => {
  const { job, running } = following(['a', 'b'])
  const address = await open(running, job)
  expect(address).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/)
  await job.clock.advance(2500)
  const page = await ask(`${address}/`)
  expect(page).toMatchObject({ status: 200, headers: { 'content-type': 'text/html; charset=utf-8' } })
  const status = JSON.parse((await ask(`${address}/api/status?now`)).body) as Record<string, unknown>
  expect(status).toMatchObject({
    job: 'test',
    world: 'test',
    phase: 'running',
    recordsCommitted: 2,
    lag: 0,
    checkpoints: { committed: 1, last: [{ epoch: 1, records: 2, cut: 'time' }] },
    steps: [
      { name: 'kafka-source', subject: 'in', records: 2 },
      { name: 'toKafkaTransactional', subject: 'out', records: 2 },
    ],
    tasks: [{ partition: 0, state: 'idle', epoch: 1, records: 2, lag: 0 }],
    series: { recordsPerSecond: [2, 0], deadLetters: [0, 0, 0] },
  })
  const metrics = await ask(`${address}/metrics`)
  expect(metrics.headers['content-type']).toMatch(/^text\/plain; version=0\.0\.4/)
  expect(parseScrape(metrics.body).value('checkpoint_commits')).toBe(1)
  await stop(job, running)
})

test('it is ready when the tasks have recovered, and no longer when the run is over', async () => {
  const { job, running } = following(['a'])
  const address = await open(running, job)
  await job.clock.advance(10)
  const after = await ask(`${address}/readyz`)
  await stop(job, running)
  expect(after.status).toBe(200)
  await expect.poll(async () => (await ask(`${address}/readyz`)).status, { timeout: 10_000 }).toBe(503)
  expect((await ask(`${address}/healthz`)).status).toBe(200)
})

test('it may be there before the job is: alive, and not ready', async () => {
  const job = new MemoryJob()
  const metrics = new JobMetrics('test', job.clock)
  const address = await open({ metrics }, job)
  expect(await ask(`${address}/readyz`)).toMatchObject({ status: 503, body: 'starting\n' })
  expect((await ask(`${address}/healthz`)).status).toBe(200)
  expect(JSON.parse((await ask(`${address}/api/status`)).body)).toMatchObject({
    phase: 'starting',
    tasks: [],
    steps: [],
  })
})

test('it is not ready while a task recovers', async () => {
  const { job, running } = following(['a'])
  const address = await open(running, job)
  await job.clock.advance(10)
  running.metrics.started(taskThat({ state: 'recovering' }))
  expect(await ask(`${address}/readyz`)).toMatchObject({ status: 503, body: 'tasks recovering: 1\n' })
  running.metrics.revoked(7)
  await stop(job, running)
})

test('it is not ready while a task can commit nothing, and is while a system is waited for', async () => {
  const { job, running } = following(['a'])
  const address = await open(running, job)
  await job.clock.advance(10)
  const ready = async (): Promise<string> => (await ask(`${address}/readyz`)).body
  const trouble = new TidemarkError('commit-failed', 'topic out is gone')
  running.metrics.started(taskThat({ trouble, troubledMs: 60_000 }))
  await expect.poll(ready, { timeout: 10_000 }).toBe('commit-failed (partition 7)\n')
  running.metrics.started(taskThat({ trouble, troubledMs: 100 }))
  await expect.poll(ready, { timeout: 10_000 }).toBe('ok\n')
  running.metrics.started(taskThat({ trouble, troubledMs: 60_000 }))
  await expect.poll(ready, { timeout: 10_000 }).toBe('commit-failed (partition 7)\n')
  const outage = new TidemarkError('lookup-outage', 'nobody answers')
  running.metrics.started(taskThat({ trouble: outage, troubledMs: 60_000 }))
  await expect.poll(ready, { timeout: 10_000 }).toBe('ok\n')
  running.metrics.revoked(7)
  await stop(job, running)
})

test('it is not healthy once a task has failed', async () => {
  const job = new MemoryJob()
  job.write('in', ['a'])
  const running = job.start((context) =>
    fromKafka(context, { topic: 'in', groupId: 'g' }).pipe(
      tap(() => {
        throw new Error('always')
      }),
    ),
  )
  const address = await open(running, job)
  await failure(job.clock.runUntil(running.finished))
  expect(await ask(`${address}/healthz`)).toMatchObject({ status: 503, body: 'pipeline-failed (partition 0)\n' })
  const status = JSON.parse((await ask(`${address}/api/status`)).body) as Record<string, unknown>
  expect(status).toMatchObject({ phase: 'failed', failure: { code: 'pipeline-failed' } })
})

test.each([
  ['evil.example', 421],
  ['127.0.0.1.evil.example', 421],
  ['localhost.evil.example:8081', 421],
  ['evil.example:8081#localhost', 421],
  ['localhost:', 421],
  ['localhost:8081@evil.example', 421],
  ['localhost', 200],
  ['LOCALHOST:1234', 200],
  ['[::1]:8081', 200],
  ['127.0.0.1:8081', 200],
])('a request for host %j is answered with %i', async (host, status) => {
  const { job, running } = following([])
  const address = await open(running, job)
  for (const path of ['/', '/metrics', '/api/status', '/healthz']) {
    const answer = await ask(`${address}${path}`, { headers: { host } })
    expect(answer.status).toBe(status)
    if (status === 421) expect(answer.body).not.toContain('test')
  }
  await stop(job, running)
})

test('it can be read and nothing else', async () => {
  const { job, running } = following([])
  const address = await open(running, job)
  expect(await ask(`${address}/`, { method: 'HEAD' })).toMatchObject({ status: 200, body: '' })
  const post = await ask(`${address}/api/status`, { method: 'POST' })
  expect(post).toMatchObject({ status: 405, headers: { allow: 'GET, HEAD' } })
  for (const path of ['/../package.json', '/%2e%2e/package.json', '/page.js', '//localhost/', '/constructor']) {
    expect((await ask(`${address}${path}`)).status).toBe(404)
  }
  await stop(job, running)
})

test('no other site may load, frame or read it', async () => {
  const { job, running } = following([])
  const address = await open(running, job)
  for (const path of ['/', '/metrics', '/api/status', '/nowhere']) {
    const { headers } = await ask(`${address}${path}`, { headers: { origin: 'https://evil.example' } })
    expect(headers).toMatchObject({
      'cache-control': 'no-store',
      'cross-origin-resource-policy': 'same-origin',
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
      'referrer-policy': 'no-referrer',
    })
    expect(headers['content-security-policy']).toContain("default-src 'none'")
    expect(headers['content-security-policy']).toContain("frame-ancestors 'none'")
    expect(headers['access-control-allow-origin']).toBeUndefined()
  }
  await stop(job, running)
})

test('a log that does not answer leaves the lag unknown and holds nothing up for long', async () => {
  const { job, running } = following(['a'])
  const address = await open(running, job)
  await job.clock.advance(2000)
  running.metrics.started(taskThat({ lag: () => new Promise(() => undefined) }))
  const answer = await job.clock.runUntil(ask(`${address}/api/status`))
  expect(JSON.parse(answer.body)).toMatchObject({ lag: null, recordsCommitted: 1 })
  running.metrics.revoked(7)
  await stop(job, running)
})

test('after close there is no listener and no timer', async () => {
  const { job, running } = following([])
  const address = await open(running, job)
  await stop(job, running)
  expect(job.clock.pending).toBe(1)
  await dashboard?.close()
  await dashboard?.close()
  expect(job.clock.pending).toBe(0)
  expect(await failure(ask(`${address}/healthz`))).toMatchObject({ code: 'ECONNREFUSED' })
})

test('a chosen port that is taken is an error that says what to do', async () => {
  const other = createServer()
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
  const { port } = other.address() as AddressInfo
  const job = new MemoryJob()
  const metrics = new JobMetrics('test', job.clock)
  const { clock } = job
  const started = startDashboard({
    running: { metrics },
    port,
    explicit: true,
    log: silentLogger,
    secrets: new Secrets(),
    world: 'test',
    clock,
  })
  const error = await failure(started)
  expect(error).toMatchObject({ code: 'port-unavailable', kind: 'configuration', details: { port } })
  expect(error.message).toContain(`dashboard.port is ${String(port)}`)
  expect(error.message).toContain('another program listens on it')
  expect(error.message).toContain('set it to 0')
  expect(job.clock.pending).toBe(0)
  await new Promise((resolve) => other.close(resolve))
})

test('port 0 means no live page', async () => {
  const { job, running } = following([])
  const { clock } = job
  const none = await startDashboard({
    running,
    port: 0,
    explicit: true,
    log: silentLogger,
    secrets: new Secrets(),
    world: 'test',
    clock,
  })
  expect(none.address).toBeNull()
  await none.close()
  await stop(job, running)
})
