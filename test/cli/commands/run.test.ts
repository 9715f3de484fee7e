import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { resultOf, root, startProcess, type Child, type ProcessResult } from '../cliProcess.ts'
import { testCli } from '../testCli.ts'

let directory: string
beforeAll(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'tidemark-run-'))
})
afterAll(() => {
  rmSync(directory, { recursive: true })
})

const started: Child[] = []
afterAll(() => {
  for (const child of started) child.kill('SIGKILL')
})

/** Whatever a test leaves running ends with the file. */
function keep(child: Child): Child {
  started.push(child)
  return child
}

const start = (args: readonly string[], environment: Record<string, string> = {}): Child =>
  keep(startProcess(directory, ['src/cli/tidemark.js', 'run', 'jobs/reconcile.ts', ...args], environment))
const run = (args: readonly string[], environment: Record<string, string> = {}): Promise<ProcessResult> =>
  resultOf(start(args, environment))

async function recordsOf(topic: string): Promise<number> {
  const { out } = await testCli({ directory: root, environment: { DATA_DIR: directory } }, 'topic', 'list')
  return Number(new RegExp(`^${topic} +\\d+ +(\\d+)`, 'm').exec(out)?.[1] ?? 0)
}

test('a run on a new directory loads the sample and ends with a summary; the next one finds nothing new', async () => {
  const first = await run([])
  expect(first).toMatchObject({ code: 0, err: '' })
  const [startLine, sampleLine] = first.out.split('\n')
  expect(startLine).toContain(`reconcile: embedded world in ${directory}`)
  expect(startLine).toContain('kafka.bootstrap.servers and cassandra.contact.points not set')
  expect(startLine).toContain('bounded run')
  expect(sampleLine).toMatch(/^Loaded a sample .* \d+ messages and \d tables$/)
  expect(first.out).toContain(`Data directory  ${directory}`)
  expect(first.out).toContain(`npx tidemark topic read reconcile --data-dir ${directory}`)
  expect(first.out).toContain(`npx tidemark run jobs/reconcile.ts --fresh --data-dir ${directory}`)
  expect(existsSync(path.join(directory, 'report.html'))).toBe(true)
  const input = await recordsOf('input-topic')
  expect(input).toBeGreaterThan(100)
  expect((await recordsOf('reconcile')) + (await recordsOf('reconcile-dlq'))).toBe(input)

  const second = await run([])
  expect(second).toMatchObject({ code: 0, out: expect.stringContaining('Nothing new') })
  expect(second.out).not.toContain('sample')
  expect(second.out).not.toContain('--fresh')
  expect((await recordsOf('reconcile')) + (await recordsOf('reconcile-dlq'))).toBe(input)
})

test('under another name the same file reads the same directory as a deployment of its own', async () => {
  const input = await recordsOf('input-topic')
  const second = await run(['--job.name=reconcile-2'])
  expect(second.code).toBe(0)
  expect(second.out).toContain(`reconcile-2 (job reconcile of jobs/reconcile.ts): embedded world in ${directory}`)
  expect(second.out).not.toContain('--fresh')
  expect((await recordsOf('reconcile')) + (await recordsOf('reconcile-dlq'))).toBe(2 * input)
  for (const again of [[], ['--job.name=reconcile-2']]) {
    expect(await run(again)).toMatchObject({ code: 0, out: expect.stringContaining('Nothing new') })
  }
}, 60_000)

test('another group under a name that has run is refused, with what ran and both remedies', async () => {
  const outputs = (await recordsOf('reconcile')) + (await recordsOf('reconcile-dlq'))
  const { code, err } = await run(['--reconcile.group=another'])
  expect(code).toBe(2)
  expect(err).toContain('job-name-in-use')
  expect(err).toMatch(
    /Job 'reconcile' has run before as consumer group reconcile-group on input-topic, .*group another/,
  )
  expect(err).toMatch(/--job\.name=<name>.*--reset-offsets/)
  expect((await recordsOf('reconcile')) + (await recordsOf('reconcile-dlq'))).toBe(outputs)
}, 60_000)

test('--records needs an empty directory, which --fresh makes', async () => {
  expect(await run(['--records', '2000'])).toMatchObject({ code: 2, err: expect.stringContaining('add --fresh') })
  const { out, code } = await run(['--records', '2000', '--fresh', '--yes'])
  expect(code).toBe(0)
  expect(out).toMatch(/Loaded a sample .* 2\d{3} messages/)
  expect(await recordsOf('input-topic')).toBeLessThan(3000)
})

test('a job that follows takes new records, keeps other jobs out, and ends with 0 at SIGTERM', async () => {
  const child = start(['--follow'])
  const result = resultOf(child)
  await once(child.stdout, 'data')
  const before = await recordsOf('reconcile-dlq')
  const io = { directory: root, stdin: 'nonsense\n', environment: { DATA_DIR: directory } }
  expect(await testCli(io, 'topic', 'write', 'input-topic')).toMatchObject({ code: 0 })
  const other = await run([])
  expect(other).toMatchObject({ code: 2, err: expect.stringContaining('directory-in-use') })
  expect(other.err).toContain(String(child.pid))
  await expect.poll(() => recordsOf('reconcile-dlq'), { timeout: 15_000 }).toBe(before + 1)
  child.kill('SIGTERM')
  expect(await result).toMatchObject({ code: 0, signal: null, out: expect.stringContaining('until it is stopped') })
})

test('a mixture of worlds is refused with the missing keys, and a real one that is not there ends with 3', async () => {
  const kafka = { KAFKA_BOOTSTRAP_SERVERS: 'localhost:1' }
  const cassandra = { CASSANDRA_CONTACT_POINTS: 'localhost:1', CASSANDRA_LOCAL_DATACENTER: 'dc1', DASHBOARD_PORT: '0' }
  const [mixed, real] = await Promise.all([run([], kafka), run([], { ...kafka, ...cassandra })])
  expect(mixed).toMatchObject({ code: 2, out: '', err: expect.stringContaining('mixed-worlds') })
  expect(mixed.err).toContain('cassandra.contact.points')
  expect(real).toMatchObject({ code: 3, err: expect.stringContaining('system-unreachable') })
  expect(real.err).toContain('nothing listens there')
  expect(real.out).toMatch(/^reconcile: real world, Kafka at localhost:1 and Cassandra at localhost:1, dc1; set by /)
})

test('what only one world can do is refused in the other, before anything is reached', async () => {
  const real = {
    KAFKA_BOOTSTRAP_SERVERS: 'localhost:1',
    CASSANDRA_CONTACT_POINTS: 'localhost:1',
    CASSANDRA_LOCAL_DATACENTER: 'dc1',
  }
  const io = { directory: root, environment: { DATA_DIR: directory, ...real } }
  const refused = (...args: string[]) => testCli(io, 'run', 'jobs/reconcile.ts', ...args)
  expect(await refused('--fresh')).toMatchObject({
    code: 2,
    out: '',
    err: expect.stringContaining('not ours to clear'),
  })
  expect(await refused('--records', '5')).toMatchObject({ code: 2, err: expect.stringContaining('never made up') })
  expect(await refused('--parallelism', '2', '--reset-offsets', 'earliest')).toMatchObject({
    code: 2,
    err: expect.stringContaining('several times'),
  })
  const embedded = { directory: root, environment: { DATA_DIR: directory } }
  expect(await testCli(embedded, 'run', 'jobs/reconcile.ts', '--parallelism', '2')).toMatchObject({
    code: 2,
    out: '',
    err: expect.stringContaining('belongs to one process'),
  })
  expect(await testCli(embedded, 'run', 'jobs/reconcile.ts', '--skip', 'input-topic:0@7')).toMatchObject({
    code: 2,
    out: '',
    err: expect.stringContaining('passes batches of Kafka topics'),
  })
})
