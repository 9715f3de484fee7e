import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { seededRandom } from '../../src/testing/world/seededRandom.ts'
import { countUnderFaults, wrongCounts } from '../support/faults/countFaults.ts'
import { EmbeddedRun } from '../support/faults/embeddedRun.ts'
import type { FaultedJob } from '../support/faults/faultRun.ts'
import { messageOf, type SeenOutput } from '../support/faults/outputs.ts'
import { reconcileUnderFaults, refusedMessages } from '../support/faults/reconcileFaults.ts'

/** Of each job; a kill counts only when it took records with it that were not committed. */
const leastKills = 15
const messages = 9_000

let directory: string

beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'tidemark-kill-'))
})

afterEach(() => {
  rmSync(directory, { recursive: true, force: true })
})

/** Kills the job again and again, looking at what is committed in between, and lets it end at last. */
async function throughKills(job: FaultedJob): Promise<readonly SeenOutput[]> {
  const run = new EmbeddedRun(directory, job)
  const names = await run.begin(messages)
  const kill = { random: seededRandom(7), records: 300 }
  let kills = 0
  let before: readonly SeenOutput[] = []
  for (;;) {
    const end = await run.run(kills < leastKills ? { kill } : {})
    const { outputs, mistakes } = await run.look()
    // At any time: nothing twice or wrong, and what is committed is what the positions say.
    expect(mistakes).toEqual([])
    expect(outputs.length).toBeGreaterThanOrEqual(before.length)
    before = outputs
    if (!end.killed) {
      expect(end).toMatchObject({ code: 0 })
      break
    }
    if (end.uncommitted > 0) kills += 1
  }
  expect(before.map(messageOf).toSorted()).toEqual(names.toSorted())
  expect(kills).toBe(leastKills)
  return before
}

describe('kill -9 on the embedded world', () => {
  it('leaves every message with exactly one result or dead letter, and positions that agree', async () => {
    const outputs = await throughKills({ ...reconcileUnderFaults(), file: 'test/support/jobs/watchedReconcile.ts' })
    expect(refusedMessages(outputs)).toEqual(refusedMessages(outputs.map(messageOf)))
  }, 180_000)

  it('leaves keyed state that has counted every record exactly once', async () => {
    const outputs = await throughKills({ ...countUnderFaults(), file: 'test/support/jobs/watchedCount.ts' })
    expect(wrongCounts(outputs)).toEqual([])
    expect(new Set(outputs.map(({ key }) => key)).size).toBe(100)
  }, 180_000)
})
