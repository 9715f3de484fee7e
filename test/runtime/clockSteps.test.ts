import { expect, it } from 'vitest'
import { fromKafka } from '../../operators/fromKafka.ts'
import { toKafkaTransactional } from '../../operators/toKafkaTransactional.ts'
import type { Clock } from '../../src/core/clock.ts'
import { createRestartStrategy } from '../../src/runtime/restart.ts'
import { ManualClock } from '../../src/testing/manualClock.ts'
import { MemoryJob, type TestPipeline } from '../support/memoryJob.ts'

const copy: TestPipeline = (context) =>
  fromKafka(context, { topic: 'input', groupId: 'group' }).pipe(toKafkaTransactional(context, { topic: 'output' }))

/** A clock that can be set, and whose timers run right all the same. */
function settable(clock: ManualClock): { readonly clock: Clock; readonly set: (byMs: number) => void } {
  let offMs = 0
  return {
    clock: {
      now: () => clock.now() + offMs,
      after: (delayMs, callback) => clock.after(delayMs, callback),
      soon: (callback) => {
        clock.soon(callback)
      },
    },
    set: (byMs) => {
      offMs += byMs
    },
  }
}

it('an epoch is not made longer by a clock that is set back', async () => {
  const job = new MemoryJob()
  const { clock, set } = settable(job.clock)
  job.write('input', ['a'])
  const running = job.start(copy, {
    follow: true,
    checkpoint: { intervalMs: 1000, minPauseMs: 2000 },
    environment: (world) => ({ ...world, clock }),
  })
  await job.clock.advance(2000)
  expect(job.read('output')).toEqual(['a'])
  set(-3_600_000)
  job.write('input', ['b'])
  await job.clock.advance(2000)
  expect(job.read('output')).toEqual(['a', 'b'])
  running.stop()
  await job.clock.runUntil(running.finished)
})

it('a restart does not wait longer than its delay when the clock is set back', () => {
  const { clock, set } = settable(new ManualClock(1_700_000_000_000))
  const strategy = createRestartStrategy({ strategy: 'fixed-delay', attempts: 3, delayMs: 1000 }, clock)
  const failure = { task: 'source-0', cause: 'pipeline-failed' }
  strategy.onFailure(failure)
  set(-3_600_000)
  expect(strategy.onFailure(failure)).toMatchObject({ restart: true, delayMs: 1000 })
})
