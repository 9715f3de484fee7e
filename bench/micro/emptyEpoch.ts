/*
 * What an epoch costs that has no records: the reconcile pipeline built, subscribed, completed and committed, to a log
 * in memory, so without a disk.
 *
 *   node bench/micro/emptyEpoch.ts [epochs]
 */
import job from '../../jobs/reconcile.ts'
import type { RowLookup } from '../../src/tables/rowLookup.ts'
import { offsetFormat, offsetPosition } from '../../src/core/offsetPosition.ts'
import { recordedPositions } from '../../src/core/changelogRecords.ts'
import { systemClock } from '../../src/core/ports/clock.ts'
import { TaskGate } from '../../src/core/ports/gate.ts'
import { systemRandom } from '../../src/core/ports/random.ts'
import type { EpochTransaction } from '../../src/core/ports/commitLog.ts'
import type { TaskReader } from '../../src/core/ports/inputs.ts'
import { EpochAttempt } from '../../src/runtime/attempt/epochAttempt.ts'
import type { Kept } from '../../src/runtime/attempt/attemptStep.ts'
import { runEpoch } from '../../src/runtime/task/epoch.ts'
import { silentLogger } from '../../src/core/ports/logger.ts'
import { runnableJob } from '../../src/runtime/plan/runnableJob.ts'
import { resolveSettings } from '../../src/runtime/settings/resolve.ts'
import { changelogRecords } from '../../src/state/changelogRecords.ts'

const limits = { epochBytes: 16 * 1024 * 1024, jsonMaxDepth: 256 }

const rows: RowLookup = {
  name: 'none',
  lookup: () => Promise.resolve({ kind: 'miss' }),
  schema: () => undefined,
  connect: () => Promise.resolve(),
  close: () => Promise.resolve(),
}

const ended: TaskReader = {
  next: () => undefined,
  readable: false,
  done: true,
  failure: null,
  positions: () => new Map([['input-topic', offsetPosition(0)]]),
  whenReadable: () => undefined,
  close: () => undefined,
}

const transaction: EpochTransaction = {
  bytes: 0,
  send: () => undefined,
  prepare: () => Promise.resolve(0),
  commit: () => Promise.resolve(),
  abort: () => Promise.resolve(),
}

/** µs an epoch, over `epochs` of them. */
export async function measureEmptyEpoch(epochs = 20_000): Promise<number> {
  const settings = resolveSettings({
    flags: new Map(),
    environment: {},
    file: null,
    job: { path: 'jobs/reconcile.ts', name: 'reconcile', specs: job.settings ?? {} },
  })
  const runnable = runnableJob(job, settings)
  const gate = new TaskGate(systemClock, () => undefined)
  const kept = new Map<string, Kept>()
  const startMs = performance.now()
  for (let epoch = 1; epoch <= epochs; epoch += 1) {
    const attempt = new EpochAttempt({
      job: runnable,
      planning: false,
      partition: 0,
      epoch,
      clock: systemClock,
      random: systemRandom,
      log: silentLogger,
      gate,
      limits,
      kept,
      state: null,
      sink: () => ({ send: () => undefined, refusal: () => null }),
      follow: () => ({ send: () => undefined, refusal: () => null }),
      // The reconcile pipeline opens this port and no other.
      open: () => rows as never,
      lostAfterCommit: () => undefined,
    })
    const result = await runEpoch({
      attempt,
      transaction,
      stateAttempt: null,
      state: null,
      reader: ended,
      gate,
      clock: systemClock,
      limits: { cutAfterMs: 1000, maxRecords: Infinity, maxBytes: Infinity },
      checkpointTimeoutMs: 60_000,
      start: (started) => {
        started.start()
      },
      commit: () => ({
        version: 1,
        epoch,
        nonce: systemRandom.hex(8),
        lineage: 'bench',
        generation: 0,
        inputs: 1,
        partitionCounts: {},
        transactionalIdPrefix: 'bench',
        followerBaseMicros: null,
        watermarkMs: null,
      }),
      commitEntry: (positions, commit) =>
        changelogRecords.commit({
          groupId: 'bench',
          positions: recordedPositions({ format: offsetFormat, topicId: () => null }, positions),
          commit,
        }),
      turnEnds: undefined,
      halted: () => null,
      pumping: () => undefined,
    })
    if (result.kind === 'aborted') throw result.error
  }
  return ((performance.now() - startMs) * 1000) / epochs
}

if (import.meta.main) {
  const micros = await measureEmptyEpoch(Number(process.argv[2] ?? 20_000))
  console.log(`an empty epoch of the reconcile job: ${micros.toFixed(1)} µs`)
}
