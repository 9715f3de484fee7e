import { expect, it } from 'vitest'
import { fromKafka } from '../../operators/fromKafka.ts'
import { toKafkaTransactional } from '../../operators/toKafka.ts'
import { createRestartStrategy } from '../../src/runtime/task/restart.ts'
import { ManualClock } from '../../src/testing/world/manualClock.ts'
import { MemoryJob, type TestPipeline } from '../support/memoryJob.ts'

const copy: TestPipeline = (context) =>
  fromKafka(context, { topic: 'input', groupId: 'group' }).pipe(toKafkaTransactional(context, { topic: 'output' }))

const hourMs = 3_600_000

it.each([-hourMs, hourMs])('an epoch takes as long as before when the wall clock is set by %d ms', async (byMs) => {
  const job = new MemoryJob()
  job.write('input', ['a'])
  const running = job.start(copy, { follow: true, checkpoint: { intervalMs: 1000, minPauseMs: 2000 } })
  await job.clock.advance(2000)
  expect(job.read('output')).toEqual(['a'])
  job.clock.jump(byMs)
  job.write('input', ['b'])
  await job.clock.advance(900)
  expect(job.read('output')).toEqual(['a'])
  await job.clock.advance(1100)
  expect(job.read('output')).toEqual(['a', 'b'])
  running.stop()
  const { durationMs } = await job.clock.runUntil(running.finished)
  expect(durationMs).toBeLessThan(10_000)
})

it.each([-hourMs, hourMs])(
  'a restart waits for what is left of its delay when the wall clock is set by %d ms',
  async (byMs) => {
    const clock = new ManualClock(1_700_000_000_000)
    const strategy = createRestartStrategy({ strategy: 'fixed-delay', attempts: 3, delayMs: 1000 }, clock)
    const failure = { task: 'source-0', cause: 'pipeline-failed' }
    strategy.onFailure(failure)
    await clock.advance(400)
    clock.jump(byMs)
    expect(strategy.onFailure(failure)).toEqual({ restart: true, delayMs: 600, failures: 1 })
  },
)
