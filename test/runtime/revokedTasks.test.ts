import { concatMap } from 'rxjs'
import { describe, expect, it } from 'vitest'
import { fromKafka } from '../../operators/fromKafka.ts'
import { toKafkaTransactional } from '../../operators/toKafka.ts'
import type { PipelineContext } from '../../src/core/context.ts'
import { TidemarkError, type ErrorCode } from '../../src/core/errors.ts'
import type { JobLog, TaskListener } from '../../src/core/ports/jobLog.ts'
import type { RunningJob } from '../../src/runtime/job/startJob.ts'
import { override } from '../support/faultyLog.ts'
import { MemoryJob, failure } from '../support/memoryJob.ts'

/** Two tasks; the one of partition 0 is taken away while it fails. Resolves when it has ended. */
async function revokedWhileFailing(failing: Error): Promise<{ job: MemoryJob; running: RunningJob }> {
  const job = new MemoryJob()
  job.log.ensureTopic('input', { partitions: 2 })
  job.write('input', ['fails'], 0)
  const met = Promise.withResolvers<void>()
  const drained = Promise.withResolvers<void>()
  const pipeline = (context: PipelineContext) => [
    fromKafka(context, { topic: 'input', groupId: 'group' }).pipe(
      concatMap(async (record) => {
        if (record.partition === 1) return record
        met.resolve()
        await drained.promise
        throw failing
      }),
      toKafkaTransactional(context, { topic: 'output' }),
    ),
  ]
  let listener: TaskListener | null = null
  const running = job.start(pipeline, {
    follow: true,
    environment: (world) => ({
      ...world,
      openLog: async (spec) => {
        const log = await world.openLog(spec)
        return override<JobLog>(log, {
          join: (given) => {
            listener = given
            return log.join(given)
          },
        })
      },
    }),
  })
  running.finished.catch(() => undefined)
  await job.clock.runUntil(met.promise)
  const revoked = (listener as TaskListener | null)?.revoked(0) ?? Promise.resolve()
  drained.resolve()
  await job.clock.runUntil(revoked)
  return { job, running }
}

describe('a task that is taken away', () => {
  it.each([
    ['a function of its pipeline that throws', new Error('no such customer')],
    ['removed input', new TidemarkError('data-removed', 'retention')],
    ['a topic that is gone', new TidemarkError('unknown-topic', 'input is gone')],
    ['a disk that is full', new TidemarkError('disk-failed', 'no room')],
  ])('and fails by %s ends alone: the others go on', async (_, error) => {
    const { job, running } = await revokedWhileFailing(error)
    job.write('input', ['goes on'], 1)
    await job.clock.advance(2_000)
    expect(job.read('output')).toEqual(['goes on'])
    running.stop()
    expect((await job.clock.runUntil(running.finished)).outcome).toBe('stopped')
  })

  it.each<ErrorCode>(['loss-in-drain', 'no-end', 'early-end', 'stale-context', 'broken-invariant'])(
    'and shows that the pipeline is wrong (%s) stops the job',
    async (code) => {
      const { job, running } = await revokedWhileFailing(new TidemarkError(code, 'would lose records'))
      expect(await failure(job.clock.runUntil(running.finished))).toMatchObject({ code })
    },
  )
})
