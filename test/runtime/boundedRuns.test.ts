import { concatMap } from 'rxjs'
import { describe, expect, it } from 'vitest'
import { fromKafka } from '../../operators/fromKafka.ts'
import { toKafkaTransactional } from '../../operators/toKafka.ts'
import { sleep } from '../../src/core/ports/clock.ts'
import type { PipelineContext } from '../../src/core/context.ts'
import type { JobLog, TaskListener } from '../../src/core/ports/jobLog.ts'
import type { TaskLog } from '../../src/core/ports/taskLog.ts'
import type { RunningJob } from '../../src/runtime/job/startJob.ts'
import { override } from '../support/faultyLog.ts'
import { MemoryJob } from '../support/memoryJob.ts'

/** 40 records, one every 10 ms. */
const count = 40
const slowCopy = (context: PipelineContext) => [
  fromKafka(context, { topic: /^input/, groupId: 'group' }).pipe(
    concatMap(async (record) => {
      await sleep(context.clock, 10)
      return record
    }),
    toKafkaTransactional(context, { topic: 'output' }),
  ),
]

/** A bounded run in a group that deals its tasks out when the test says so. */
class Dealt {
  readonly job = new MemoryJob()
  readonly running: RunningJob
  #listener: TaskListener | null = null
  #openAgain: (() => Promise<JobLog>) | null = null
  #settled: PromiseWithResolvers<void> | null = null

  constructor() {
    this.job.log.ensureTopic('input', { partitions: 1 })
    this.job.write(
      'input',
      Array.from({ length: count }, (_, n) => String(n)),
    )
    this.running = this.job.start(slowCopy, {
      // A few records an epoch.
      epochBytes: 8,
      environment: (world) => ({
        ...world,
        openLog: async (spec) => {
          const log = await world.openLog(spec)
          this.#openAgain = () => world.openLog(spec)
          return override<JobLog>(log, {
            settled: async () => this.#settled?.promise,
            join: (listener) => {
              this.#listener = listener
              return log.join(listener)
            },
          })
        },
      }),
    })
    this.running.finished.catch(() => undefined)
  }

  /** All tasks are taken away, as when their topics change. */
  async takeAway(): Promise<void> {
    this.#settled = Promise.withResolvers()
    await this.job.clock.runUntil(this.#listener?.rebalancing() ?? Promise.resolve())
    await this.job.clock.runUntil(this.#listener?.revoked(0) ?? Promise.resolve())
  }

  /** They are given back, with the topics that match now. */
  async give(): Promise<void> {
    const log = await this.#openAgain?.()
    const tasks: TaskLog[] = []
    await log?.join({
      assigned: (task) => tasks.push(task),
      rebalancing: () => Promise.resolve(),
      revoked: () => Promise.resolve(),
      failed: () => undefined,
    })
    for (const task of tasks) this.#listener?.assigned(task)
    this.settle()
  }

  settle(): void {
    this.#settled?.resolve()
  }
}

describe('a bounded run whose tasks are dealt out anew', () => {
  it('goes on with them, and is completed only when all of their input is read', async () => {
    const dealt = new Dealt()
    await dealt.job.clock.advance(150)
    await dealt.takeAway()
    expect(dealt.job.read('output').length).toBeLessThan(count)
    await dealt.job.clock.advance(5_000)
    await dealt.give()
    const result = await dealt.job.clock.runUntil(dealt.running.finished)
    expect(result).toMatchObject({ outcome: 'completed', records: count })
    expect(dealt.job.read('output')).toHaveLength(count)
  })

  it('reads a topic that has begun to match up to the end that it had then', async () => {
    const dealt = new Dealt()
    await dealt.job.clock.advance(150)
    await dealt.takeAway()
    dealt.job.write('input-2', ['new 0', 'new 1'])
    await dealt.give()
    await dealt.job.clock.advance(20)
    dealt.job.write('input-2', ['too late'])
    const result = await dealt.job.clock.runUntil(dealt.running.finished)
    expect(result).toMatchObject({ outcome: 'completed', records: count + 2 })
    expect(dealt.job.read('output')).not.toContain('too late')
  })

  it('ends without those that another process was given', async () => {
    const dealt = new Dealt()
    await dealt.job.clock.advance(150)
    await dealt.takeAway()
    dealt.settle()
    const result = await dealt.job.clock.runUntil(dealt.running.finished)
    expect(result.outcome).toBe('completed')
    expect(result.records).toBeLessThan(count)
  })

  it('ends at once when it is stopped between two assignments', async () => {
    const dealt = new Dealt()
    await dealt.job.clock.advance(150)
    await dealt.takeAway()
    dealt.running.stop()
    expect((await dealt.job.clock.runUntil(dealt.running.finished)).outcome).toBe('stopped')
  })
})
