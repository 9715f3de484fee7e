import { spawn, type ChildProcessByStdio } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { Readable, Writable } from 'node:stream'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { EmbeddedStore } from '../../src/connectors/embedded/store/embeddedStore.ts'
import { systemClock } from '../../src/core/ports/clock.ts'
import type { OutputRecord } from '../../src/core/record.ts'
import { withFileLimit } from '../support/faults/fileLimit.ts'
import { readTopic } from '../support/killing.ts'

const launcher = path.resolve('src/cli/tidemark.js')
const messages = 4_000
/** Far below what the results take, far above one epoch. */
const maxFileBytes = 64 * 1024

let directory: string

beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'tidemark-disk-'))
})

afterEach(() => {
  rmSync(directory, { recursive: true, force: true })
})

interface ProcessEnd {
  readonly code: number | null
  readonly complaint: string
}

function start(job: string, disk: 'full' | 'free', more: readonly string[]): ChildProcessByStdio<null, null, Readable> {
  const settings = ['--checkpoint.interval.ms=5', '--checkpoint.max.bytes=4096', ...more]
  const args = [launcher, 'run', job, '--data-dir', directory, ...settings]
  const { command, args: all } =
    disk === 'full' ? withFileLimit(maxFileBytes, process.execPath, args) : { command: process.execPath, args }
  return spawn(command, all, { stdio: ['ignore', 'ignore', 'pipe'] })
}

async function endOf(child: ChildProcessByStdio<Writable | null, null, Readable>): Promise<ProcessEnd> {
  let complaint = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (complaint += text))
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, complaint }
}

const run = (job: string, disk: 'full' | 'free'): Promise<ProcessEnd> => endOf(start(job, disk, ['--dashboard.port=0']))

async function withStore<T>(act: (store: EmbeddedStore) => Promise<T>): Promise<T> {
  const store = await EmbeddedStore.open(path.join(directory, 'log'), { clock: systemClock })
  try {
    return await act(store)
  } finally {
    await store.close()
  }
}

async function append(records: readonly Pick<OutputRecord, 'topic' | 'key' | 'value'>[]): Promise<void> {
  await withStore((store) =>
    store.append(records.map((record, n) => ({ ...record, partition: null, headers: [], timestamp: n }))),
  )
  // What was written goes from LevelDB's log into its tables when it is opened, here and not under the limit.
  await withStore(() => Promise.resolve())
}

/** Keys of all outputs; the positions must say the same, at any time. */
function committedKeys(group: string, outputs: readonly string[]): Promise<readonly string[]> {
  return withStore(async (store) => {
    const keys: string[] = []
    for (const topic of outputs) for (const { key } of await readTopic(store, topic)) keys.push(key?.toString() ?? '')
    const offsets = await store.committedOffsets(group)
    expect(offsets.reduce((sum, { offset }) => sum + offset, 0)).toBe(keys.length)
    return keys
  })
}

/** Runs it on a full disk, twice, and then with room; gives the keys of its outputs after each. */
async function throughFullDisk(job: string, look: () => Promise<readonly string[]>): Promise<readonly string[]> {
  const first = await run(job, 'full')
  expect(first).toMatchObject({ code: 1, complaint: expect.stringContaining('code: disk-failed') })
  expect(first.complaint).toMatch(/File too large/)
  expect(first.complaint).toContain(path.join(directory, 'log'))
  const before = await look()
  expect(before.length).toBeGreaterThan(0)
  expect(before.length).toBeLessThan(messages)

  const second = await run(job, 'full')
  expect(second.complaint).toMatch(/File too large/)
  expect([1, 2]).toContain(second.code)
  const after = await look()
  // Nothing that was committed is gone.
  expect(after.length).toBeGreaterThanOrEqual(before.length)
  expect(new Set(after).isSupersetOf(new Set(before))).toBe(true)
  expect(after.length).toBeLessThan(messages)

  expect(await run(job, 'free')).toMatchObject({ code: 0 })
  return look()
}

describe('a full disk under the embedded world', () => {
  it('stops the job with the path, and once there is room every message has exactly one result or dead letter', async () => {
    await withStore((store) =>
      store.loadTable({
        keyspace: 'ks',
        table: 'items',
        columns: { id: 'int', name: 'text' },
        primaryKey: [['id'], []],
        rows: Array.from({ length: 500 }, (_, id) => ({ id, name: `item ${String(id)}` })),
      }),
    )
    await append(
      Array.from({ length: messages }, (_, n) => ({
        topic: 'input-topic',
        key: Buffer.from(String(n)),
        value: Buffer.from(
          n % 50 === 0
            ? `bad ${String(n)}`
            : `{"keyspace":"ks","tableName":"items","pk":${String(n % 1_000)},"payload":{"name":"item ${String(n)}"}}`,
        ),
      })),
    )
    const keys = await throughFullDisk('jobs/reconcile.ts', async () => {
      const seen = await committedKeys('reconcile-group', ['reconcile', 'reconcile-dlq'])
      expect(new Set(seen).size).toBe(seen.length)
      return seen
    })
    expect(keys.map(Number).toSorted((a, b) => a - b)).toEqual(Array.from({ length: messages }, (_, n) => n))
  }, 120_000)

  it('takes the report of a run away, and leaves the run done', async () => {
    await append(Array.from({ length: 10 }, (_, n) => ({ topic: 'events', key: null, value: Buffer.from(String(n)) })))
    const { code, complaint } = await run('test/support/jobs/longReport.ts', 'full')
    expect(code).toBe(0)
    expect(complaint).toMatch(/^Warning: The report in .* could not be written: EFBIG.*Is the disk full\?/m)
    expect(await committedKeys('long-report', ['copies'])).toHaveLength(10)
    expect(existsSync(path.join(directory, 'report.html'))).toBe(false)
    expect(await run('test/support/jobs/longReport.ts', 'free')).toEqual({ code: 0, complaint: '' })
    expect(readdirSync(directory).toSorted()).toEqual(['control', 'log', 'log.witness', 'report.html', 'tidemark.json'])
  }, 60_000)

  it('ends a job that follows, when a command has met it and the job has not', async () => {
    await append([{ topic: 'events', key: null, value: Buffer.from('v') }])
    const dashboard = 28_481
    const child = start('test/support/jobs/longReport.ts', 'full', [
      '--follow',
      `--dashboard.port=${String(dashboard)}`,
    ])
    const ended = endOf(child)
    const asks = (path_: string): Promise<Response> => fetch(`http://127.0.0.1:${String(dashboard)}${path_}`)
    while ((await asks('/readyz').catch(() => null))?.status !== 200) await new Promise((r) => setTimeout(r, 20))
    const write = spawn(process.execPath, [launcher, 'topic', 'write', 'events', '--data-dir', directory], {
      stdio: ['pipe', 'ignore', 'pipe'],
    })
    const written = endOf(write)
    write.stdin.end(`${'x'.repeat(2 * maxFileBytes)}\n`)
    expect(await written).toMatchObject({ code: 1, complaint: expect.stringContaining('code: disk-failed') })
    expect(await ended).toMatchObject({ code: 1, complaint: expect.stringContaining('code: disk-failed') })
  }, 60_000)

  it('stops a job with keyed state, which has counted every record exactly once when there is room again', async () => {
    const keys = 97
    await append(
      Array.from({ length: messages }, (_, n) => ({
        topic: 'events',
        key: Buffer.from(`key-${String(n % keys)}`),
        value: Buffer.from(String(n)),
      })),
    )
    const seen = await throughFullDisk('test/support/jobs/count.ts', () => committedKeys('count', ['counts']))
    expect(seen.length).toBe(messages)
    const counts = new Map<string, number>()
    for (const { key, value } of await withStore((store) => readTopic(store, 'counts'))) {
      const name = key?.toString() ?? ''
      const count = (counts.get(name) ?? 0) + 1
      counts.set(name, count)
      const n = (count - 1) * keys + Number(name.split('-')[1])
      expect({ name, ...JSON.parse(value?.toString() ?? '') }).toEqual({ name, count, event: String(n) })
    }
  }, 120_000)
})
