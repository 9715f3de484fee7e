import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { countUnderFaults, wrongCounts } from '../support/faults/countFaults.ts'
import { EmbeddedRun, endOf } from '../support/faults/embeddedRun.ts'
import type { FaultedJob } from '../support/faults/faultRun.ts'
import { messageOf, spell, type SeenOutput } from '../support/faults/outputs.ts'
import { reconcileUnderFaults, refusedMessages } from '../support/faults/reconcileFaults.ts'

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

/** Runs it on a full disk, twice, and then with room; gives its outputs at the end. */
async function throughFullDisk(job: FaultedJob): Promise<readonly SeenOutput[]> {
  const run = new EmbeddedRun(directory, job)
  const names = await run.begin(messages)
  const look = async (): Promise<readonly SeenOutput[]> => {
    const { outputs, mistakes } = await run.look()
    expect(mistakes).toEqual([])
    return outputs
  }
  const first = await run.run({ maxFileBytes })
  expect(first).toMatchObject({ code: 1, complaint: expect.stringContaining('code: disk-failed') })
  expect(first.complaint).toMatch(/File too large/)
  expect(first.complaint).toContain(path.join(run.directory, 'log'))
  const before = await look()
  expect(before.length).toBeGreaterThan(0)
  expect(before.length).toBeLessThan(messages)

  const second = await run.run({ maxFileBytes })
  expect(second.complaint).toMatch(/File too large/)
  expect([1, 2]).toContain(second.code)
  const after = await look()
  // Nothing that was committed is gone.
  expect(after.length).toBeGreaterThanOrEqual(before.length)
  expect(new Set(after.map(spell)).isSupersetOf(new Set(before.map(spell)))).toBe(true)
  expect(after.length).toBeLessThan(messages)

  expect(await run.run()).toMatchObject({ code: 0 })
  const outputs = await look()
  expect(outputs.map(messageOf).toSorted()).toEqual(names.toSorted())
  return outputs
}

/** test/support/jobs/longReport.ts, which copies. */
const longReport: FaultedJob = {
  file: 'test/support/jobs/longReport.ts',
  groupId: 'long-report',
  input: 'events',
  outputs: ['copies'],
  message: (id) => ({ key: id, value: id }),
  expected: ({ key, value }) => (key === value ? null : `${key} is copied as ${value}`),
  settings: {},
}

describe('a full disk under the embedded world', () => {
  it('stops the job with the path, and once there is room every message has exactly one result or dead letter', async () => {
    const outputs = await throughFullDisk(reconcileUnderFaults())
    expect(refusedMessages(outputs)).toEqual(refusedMessages(outputs.map(messageOf)))
  }, 120_000)

  it('takes the report of a run away, and leaves the run done', async () => {
    const run = new EmbeddedRun(directory, longReport)
    await run.begin(10)
    const { code, complaint } = await run.run({ maxFileBytes })
    expect(code).toBe(0)
    expect(complaint).toMatch(/^Warning: The report in .* could not be written: EFBIG.*Is the disk full\?/m)
    const { outputs, mistakes } = await run.look()
    expect(mistakes).toEqual([])
    expect(outputs).toHaveLength(10)
    expect(existsSync(path.join(run.directory, 'report.html'))).toBe(false)
    expect(await run.run()).toMatchObject({ code: 0, complaint: '' })
    const left = ['control', 'log', 'log.witness', 'report.html', 'tidemark.json']
    expect(readdirSync(run.directory).toSorted()).toEqual(left)
  }, 60_000)

  it('ends a job that follows, when a command has met it and the job has not', async () => {
    const run = new EmbeddedRun(directory, longReport)
    await run.begin(1)
    const dashboard = 28_481
    const ended = endOf(run.start({ maxFileBytes, args: ['--follow', `--dashboard.port=${String(dashboard)}`] }))
    const asks = (path_: string): Promise<Response> => fetch(`http://127.0.0.1:${String(dashboard)}${path_}`)
    while ((await asks('/readyz').catch(() => null))?.status !== 200) await new Promise((r) => setTimeout(r, 20))
    const args = ['src/cli/tidemark.js', 'topic', 'write', 'events', '--data-dir', run.directory]
    const write = spawn(process.execPath, args, { stdio: ['pipe', 'ignore', 'pipe'] })
    const written = endOf(write)
    write.stdin.end(`${'x'.repeat(2 * maxFileBytes)}\n`)
    expect(await written).toMatchObject({ code: 1, complaint: expect.stringContaining('code: disk-failed') })
    expect(await ended).toMatchObject({ code: 1, complaint: expect.stringContaining('code: disk-failed') })
  }, 60_000)

  it('stops a job with keyed state, which has counted every record exactly once when there is room again', async () => {
    expect(wrongCounts(await throughFullDisk(countUnderFaults()))).toEqual([])
  }, 120_000)
})
