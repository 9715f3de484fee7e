import { tap } from 'rxjs'
import { describe, expect, it } from 'vitest'
import { asyncLookup } from '../../operators/asyncLookup.ts'
import { fromKafka } from '../../operators/fromKafka.ts'
import { toKafkaTransactional } from '../../operators/toKafka.ts'
import { sleep } from '../../src/core/ports/clock.ts'
import { TidemarkError } from '../../src/core/errors.ts'
import { override, withTaskLog, withTransactions } from '../support/faultyLog.ts'
import { MemoryJob, type TestPipeline } from '../support/memoryJob.ts'

const copy: TestPipeline = (context) =>
  fromKafka(context, { topic: 'input', groupId: 'group' }).pipe(toKafkaTransactional(context, { topic: 'output' }))

function jobWithInput(): MemoryJob {
  const job = new MemoryJob()
  job.write('input', ['a', 'b', 'c'])
  return job
}

describe('a stop', () => {
  it('while lookups are under way waits for them and commits', async () => {
    const job = jobWithInput()
    const running = job.start(
      (context) =>
        fromKafka(context, { topic: 'input', groupId: 'group' }).pipe(
          asyncLookup(context, {
            lookup: async (value: Buffer | null) => {
              await sleep(context.clock, 3000)
              return value
            },
            wait: 'ordered',
          }),
          toKafkaTransactional(context, { topic: 'output', value: ({ raw }) => raw }),
        ),
      { follow: true },
    )
    await job.clock.advance(100)
    running.stop()
    expect((await job.clock.runUntil(running.finished)).outcome).toBe('stopped')
    expect(job.read('output')).toEqual(['a', 'b', 'c'])
    expect(job.clock.pending).toBe(0)
  })

  it('before a restart is due ends the wait at once and commits nothing', async () => {
    const job = jobWithInput()
    const running = job.start(
      (context) =>
        fromKafka(context, { topic: 'input', groupId: 'group' }).pipe(
          tap(() => {
            throw new Error('always')
          }),
        ),
      { follow: true, restart: { strategy: 'fixed-delay', attempts: 3, delayMs: 3_600_000 } },
    )
    await job.clock.advance(2000)
    running.stop()
    expect((await job.clock.runUntil(running.finished, 1)).outcome).toBe('stopped')
    expect(job.log.commits.map(({ epoch }) => epoch)).toEqual([0])
    expect(job.clock.pending).toBe(0)
  })

  it('while the log is out of reach at recovery ends the wait', async () => {
    const job = jobWithInput()
    const running = job.start(copy, {
      follow: true,
      environment: withTaskLog((log) =>
        override(log, {
          commitLog: override(log.commitLog, {
            fence: () => Promise.reject(new TidemarkError('system-unreachable', 'no log')),
          }),
        }),
      ),
    })
    await job.clock.advance(10_000)
    running.stop()
    expect((await job.clock.runUntil(running.finished, 1)).outcome).toBe('stopped')
    expect(job.clock.pending).toBe(0)
  })

  it('during a commit lets it end, and the next run goes on behind it', async () => {
    const job = jobWithInput()
    const running = job.start(copy, {
      follow: true,
      environment: withTransactions((transaction, index) =>
        index === 0
          ? transaction
          : override(transaction, {
              commit: async (positions, metadata) => {
                await sleep(job.clock, 5000)
                await transaction.commit(positions, metadata)
              },
            }),
      ),
    })
    await job.clock.advance(2000)
    running.stop()
    await job.clock.runUntil(running.finished)
    expect(job.read('output')).toEqual(['a', 'b', 'c'])
    await job.run(copy)
    expect(job.read('output')).toEqual(['a', 'b', 'c'])
  })

  it('while the job joins its group leaves it at once and starts no task', async () => {
    const job = jobWithInput()
    const calls: string[] = []
    const joined = Promise.withResolvers<void>()
    const running = job.start(copy, {
      follow: true,
      environment: (world) => ({
        ...world,
        openLog: async (spec) => {
          const log = await world.openLog(spec)
          return override<typeof log>(log, {
            // As a group whose other processes take their time; it may have dealt the tasks out already.
            join: async (listener) => {
              await log.join(listener)
              calls.push('join')
              await joined.promise
            },
            leave: async () => {
              calls.push('leave')
              joined.resolve()
              await log.leave()
            },
          })
        },
      }),
    })
    await job.clock.advance(100)
    expect(calls).toEqual(['join'])
    running.stop()
    expect(calls).toEqual(['join', 'leave'])
    expect((await job.clock.runUntil(running.finished, 1)).outcome).toBe('stopped')
    expect(calls).toEqual(['join', 'leave'])
    expect(job.log.commits).toEqual([])
    expect(job.clock.pending).toBe(0)
  })

  it('before anything has started ends a job that follows', async () => {
    const job = jobWithInput()
    const running = job.start(copy, { follow: true })
    running.stop()
    expect((await job.clock.runUntil(running.finished)).outcome).toBe('stopped')
    expect(job.clock.pending).toBe(0)
  })
})

it('a commit that answers after its checkpoint timeout is read back and never repeated', async () => {
  const job = jobWithInput()
  const result = await job.run(copy, {
    checkpoint: { timeoutMs: 1000 },
    restart: { strategy: 'fixed-delay', attempts: 1, delayMs: 1 },
    environment: withTransactions((transaction, index) =>
      index === 1
        ? override(transaction, {
            commit: async (positions, metadata) => {
              await transaction.commit(positions, metadata)
              await sleep(job.clock, 60_000)
            },
          })
        : transaction,
    ),
  })
  expect(result.aborted).toBe(1)
  expect(job.read('output')).toEqual(['a', 'b', 'c'])
})

it('a partition that is taken away and given back is not reset a second time', async () => {
  const job = jobWithInput()
  await job.run(copy)
  let again: (() => Promise<void>) | null = null
  const running = job.start(copy, {
    follow: true,
    reset: { kind: 'earliest' },
    environment: (world) => ({
      ...world,
      openLog: async (spec) => {
        const jobLog = await world.openLog(spec)
        return override(jobLog, {
          join: (listener) =>
            jobLog.join(
              override(listener, {
                assigned: (task) => {
                  again = async () => {
                    await listener.revoked(task.partition)
                    listener.assigned(task)
                  }
                  listener.assigned(task)
                },
              }),
            ),
        })
      },
    }),
  })
  await job.clock.advance(2000)
  expect(job.read('output')).toHaveLength(6)
  const given = again as (() => Promise<void>) | null
  await job.clock.runUntil(given?.() ?? Promise.resolve())
  await job.clock.advance(5000)
  running.stop()
  await job.clock.runUntil(running.finished)
  expect(job.read('output')).toHaveLength(6)
})
