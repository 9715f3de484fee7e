import { filter, map } from 'rxjs'
import { beforeEach, describe, expect, it } from 'vitest'
import { decodeCommitMetadata } from '../../../src/core/commitMetadata.ts'
import type { Follower } from '../../../src/core/ports/follower.ts'
import type { CommitMetadata } from '../../../src/core/ports/task.ts'
import { earliest, fromKafka, sideOutput, toKafka, type DeadLetter } from '../../../src/index.ts'
import { ManualClock } from '../../../src/testing/world/manualClock.ts'
import { MemoryFollower, MemoryTarget } from '../../../src/testing/world/memoryFollower.ts'
import { MemoryLog } from '../../../src/testing/world/memoryLog.ts'
import type { MemoryPartition } from '../../../src/testing/world/memoryTopic.ts'
import { TestProcess } from '../../../src/testing/world/testProcess.ts'
import { MemoryJob, failure, type MemoryJobOptions, type TestPipeline } from '../../support/memoryJob.ts'
import { toTarget } from '../../support/toTarget.ts'

describe('a job with a sink that follows its commits', () => {
  let job: MemoryJob
  let target: MemoryTarget

  beforeEach(() => {
    job = new MemoryJob()
    target = new MemoryTarget()
    job.log.ensureTopic('input')
  })

  /** The first start asks the target what it has of the job. */
  const begun = async (): Promise<void> => {
    await job.run(pipeline)
    expect(job.log.commits.map(({ epoch }) => epoch)).toEqual([0])
  }

  const follower = (of = target): Follower => new MemoryFollower(of, new TestProcess({ clock: job.clock }))
  const pipeline: TestPipeline = (context) => {
    const bad = sideOutput<DeadLetter>(context, 'bad')
    const rows$ = fromKafka(context, { topic: 'input', groupId: 'group' }).pipe(
      toTarget(context, { uid: 'rows', follower: () => follower(), onError: bad }),
    )
    return [rows$, bad.records$.pipe(toKafka(context, { topic: 'bad' }))]
  }
  const rows = (of = target, uid = 'rows'): readonly string[] => of.rowsOf('test', uid).map(({ row }) => row.toString())
  const metadata = (): CommitMetadata => {
    const task = { groupId: 'group', partition: 0, transactionalId: '', changelog: '' }
    return decodeCommitMetadata(job.log.committed(task, 'input')?.metadata ?? '')
  }
  const writeAheadLog = (): MemoryPartition => {
    const task = {
      groupId: 'group',
      partition: 0,
      transactionalId: '',
      changelog: '',
      writeAheadLog: 'test-source-wal',
    }
    return job.log.writeAheadLog(task)
  }
  /** Follows its input for so long, then stops. */
  const follow = async (ms: number, meanwhile: () => void, options: MemoryJobOptions = {}): Promise<void> => {
    const running = job.start(pipeline, { ...options, follow: true })
    await job.clock.advance(100)
    meanwhile()
    await job.clock.advance(ms)
    running.stop()
    await job.clock.runUntil(running.finished)
  }

  it('ends a bounded run only when the target has all rows and that is committed', async () => {
    target.latencyMs = 7_000
    job.write('input', ['a', 'b', 'c'])
    await job.run(pipeline)
    expect(rows()).toEqual(['a', 'b', 'c'])
    // The start, the rows, their tick-off.
    expect(job.log.commits.map(({ epoch }) => epoch)).toEqual([0, 1, 2])
    // Nothing is left to be done.
    target.down = true
    await job.run(pipeline)
    expect(job.log.commits).toHaveLength(3)
  })

  it('waits for a target that is down, and counts no failure', async () => {
    await begun()
    target.down = true
    job.write('input', ['a'])
    const running = job.start(pipeline)
    await job.clock.advance(600_000)
    target.down = false
    await job.clock.runUntil(running.finished)
    expect(rows()).toEqual(['a'])
  })

  it('ticks off while it is idle, once, after an interval, and then opens no epoch', async () => {
    await follow(60_000, () => {
      job.write('input', ['a'])
    })
    expect(rows()).toEqual(['a'])
    expect(job.log.commits.map(({ epoch }) => epoch)).toEqual([0, 1, 2])
  })

  it('ticks off in passing while there is input', async () => {
    const running = job.start(pipeline, { follow: true })
    for (let n = 0; n < 30; n += 1) {
      job.write('input', [String(n)])
      await job.clock.advance(500)
    }
    running.stop()
    await job.clock.runUntil(running.finished)
    // One epoch for each second, and the first; none of them for nothing but a tick-off.
    expect(job.log.commits.length).toBeLessThan(18)
    expect(rows()).toHaveLength(30)
  })

  it('stops at once while the target is down, and the next start goes on with what was not sent', async () => {
    await begun()
    target.down = true
    await follow(5_000, () => {
      job.write('input', ['a', 'b'])
    })
    target.down = false
    job.write('input', ['c'])
    await job.onOtherDisks().run(pipeline)
    expect(rows()).toEqual(['a', 'b', 'c'])
  })

  it('takes no more input while a target lags behind the limit, and goes on when it has caught up', async () => {
    await begun()
    target.down = true
    const running = job.start(pipeline, { follow: true, followerMaxBytes: 4_000, epochBytes: 1_024 })
    for (let n = 0; n < 20; n += 1) {
      job.write('input', [String(n).padStart(500, '.')])
      await job.clock.advance(2_000)
    }
    const held = job.log.commits.length
    await job.clock.advance(60_000)
    expect(job.log.commits).toHaveLength(held)
    const behind = [...(job.log.commits.at(-1)?.positions.values() ?? [])][0] ?? 0
    expect(behind).toBeGreaterThan(2)
    expect(behind).toBeLessThan(10)
    target.down = false
    await job.clock.advance(60_000)
    running.stop()
    await job.clock.runUntil(running.finished)
    expect(rows().map((row) => Number(row.replaceAll('.', '')))).toEqual(Array.from({ length: 20 }, (_, n) => n))
  })

  it('makes dead letters of refused rows in a later epoch, also when it is idle', async () => {
    target.refuses = (row) => (row.toString() === 'bad' ? 'no such row' : null)
    await follow(10_000, () => {
      job.write('input', ['a', 'bad', 'b'])
    })
    expect(rows()).toEqual(['a', 'b'])
    const [letter] = job.log.topic('bad').records()
    expect(JSON.parse(letter?.raw?.toString() ?? '')).toMatchObject({ error: 'no such row', originalMessage: 'bad' })
    const headers = new Map(letter?.headers.map(([name, value]) => [name, value?.toString()]))
    expect(headers.get('source-offset')).toBe('1')
    expect(headers.get('epoch')).toBe('2')
    expect(job.log.topic('bad').records()).toHaveLength(1)
  })

  it('writes no more rows while as many refused ones as an epoch may hold wait for their dead letters', async () => {
    target.refuses = () => 'no'
    await begun()
    target.down = true
    const running = job.start(pipeline, { follow: true, epochBytes: 2_000 })
    for (let n = 0; n < 40; n += 1) {
      job.write('input', [String(n).padStart(500, '.')])
      await job.clock.advance(1_000)
    }
    target.down = false
    await job.clock.advance(60_000)
    running.stop()
    await job.clock.runUntil(running.finished)
    const letters = job.log.topic('bad').records()
    expect(letters).toHaveLength(40)
    const epochs = letters.map(({ headers }) => headers.find(([name]) => name === 'epoch')?.[1]?.toString())
    const mostInOne = Math.max(...[...new Set(epochs)].map((epoch) => epochs.filter((each) => each === epoch).length))
    expect(mostInOne).toBeLessThanOrEqual(4)
  })

  it('keeps the time of rows ahead of all before them, and says in the commit where it is', async () => {
    job.write('input', ['a', 'b'])
    await job.run(pipeline)
    const first = metadata().followerBaseMicros ?? 0
    // On a machine whose clock is years behind.
    job = new MemoryJob(new ManualClock(1_600_000_000_000), job.log)
    job.write('input', ['c'])
    await job.run(pipeline)
    const times = target.rowsOf('test', 'rows').map(({ timestampMicros }) => timestampMicros)
    expect(times.toSorted((a, b) => a - b)).toEqual(times)
    expect(new Set(times).size).toBe(3)
    expect(metadata().followerBaseMicros).toBeGreaterThan(first)
  })

  it('sends to one target beside another that is down', async () => {
    const other = new MemoryTarget()
    const both: TestPipeline = (context) =>
      fromKafka(context, { topic: 'input', groupId: 'group' }).pipe(
        toTarget(context, { uid: 'rows', follower: () => follower() }),
        toTarget(context, { uid: 'others', follower: () => follower(other) }),
      )
    await job.run(both)
    other.down = true
    job.write('input', ['a', 'b'])
    const running = job.start(both)
    await job.clock.advance(60_000)
    expect(rows()).toEqual(['a', 'b'])
    other.down = false
    await job.clock.runUntil(running.finished)
    expect(other.rowsOf('test', 'others').map(({ row }) => row.toString())).toEqual(['a', 'b'])
  })

  it('trims the log also where another sink has nothing in it', async () => {
    const other = new MemoryTarget()
    const both: TestPipeline = (context) =>
      fromKafka(context, { topic: 'input', groupId: 'group' }).pipe(
        toTarget(context, { uid: 'rows', follower: () => follower() }),
        filter(() => false),
        toTarget(context, { uid: 'others', follower: () => follower(other) }),
      )
    for (let round = 0; round < 4; round += 1) {
      job.write('input', ['x'.repeat(400_000)])
      await job.run(both)
    }
    const running = job.start(both, { follow: true })
    for (let round = 0; round < 4; round += 1) {
      job.write('input', ['x'.repeat(400_000)])
      await job.clock.advance(3_000)
    }
    running.stop()
    await job.clock.runUntil(running.finished)
    expect(writeAheadLog().range.start).toBeGreaterThan(4)
  })

  it('sends what is logged before a reset begins anew', async () => {
    await begun()
    target.down = true
    await follow(3_000, () => {
      job.write('input', ['a', 'b'])
    })
    target.down = false
    await job.run(pipeline, { reset: earliest })
    expect(rows()).toEqual(['a', 'b', 'a', 'b'])
    expect(new Set(target.rowsOf('test', 'rows').map(({ epoch }) => epoch)).size).toBe(2)
  })

  it('begins anew by a reset on a target that was emptied, which stops it otherwise', async () => {
    job.write('input', ['a', 'b'])
    await job.run(pipeline)
    target = new MemoryTarget()
    job.write('input', ['c'])
    const error = await failure(job.run(pipeline))
    expect(error).toMatchObject({
      code: 'target-went-back',
      message: expect.stringMatching(/--reset-offsets/) as unknown,
    })
    await job.run(pipeline, { reset: earliest })
    // What had been committed before comes first.
    expect(rows()).toEqual(['c', 'a', 'b', 'c'])
  })

  it('begins anew by a reset with a sink that is new to it, behind a log that was trimmed', async () => {
    job.write('input', ['a', 'b'])
    for (let start = 0; start < 2; start += 1) await job.run(pipeline)
    expect(writeAheadLog().range.start).toBeGreaterThan(0)
    const other = new MemoryTarget()
    const both: TestPipeline = (context) =>
      fromKafka(context, { topic: 'input', groupId: 'group' }).pipe(
        toTarget(context, { uid: 'rows', follower: () => follower() }),
        toTarget(context, { uid: 'others', follower: () => follower(other) }),
      )
    await job.run(both, { reset: earliest })
    expect(rows(other, 'others')).toEqual(['a', 'b'])
    expect(rows()).toEqual(['a', 'b', 'a', 'b'])
  })

  it('begins anew by a reset without rows that its log has lost, when it may give them up', async () => {
    await begun()
    target.down = true
    await follow(3_000, () => {
      job.write('input', ['a', 'b'])
    })
    target.down = false
    writeAheadLog().removeBefore(writeAheadLog().range.end)
    const remedy = expect.stringMatching(/--reset-offsets <mode> --allow-dropped/) as unknown
    const lost = { code: 'data-removed', message: remedy }
    expect(await failure(job.run(pipeline))).toMatchObject(lost)
    expect(await failure(job.run(pipeline, { reset: earliest }))).toMatchObject(lost)
    await job.run(pipeline, { allowDropped: true })
    expect(rows()).toEqual(['a', 'b'])
  })

  it('stops when its commits are gone and the target has rows, and a reset goes on behind their epochs and times', async () => {
    job.write('input', ['a', 'b'])
    await job.run(pipeline)
    const { epoch, followerBaseMicros } = metadata()
    job = new MemoryJob(job.clock, new MemoryLog())
    job.write('input', ['a', 'b', 'c'])
    expect(await failure(job.run(pipeline))).toMatchObject({
      code: 'commit-metadata-lost',
      message: expect.stringMatching(/--reset-offsets/) as unknown,
    })
    expect(job.log.commits).toEqual([])
    expect(rows()).toEqual(['a', 'b'])
    await job.run(pipeline, { reset: earliest })
    expect(rows()).toEqual(['a', 'b', 'a', 'b', 'c'])
    const times = target.rowsOf('test', 'rows').map(({ timestampMicros }) => timestampMicros)
    expect(times.toSorted((a, b) => a - b)).toEqual(times)
    expect(new Set(times).size).toBe(times.length)
    expect(metadata().epoch).toBeGreaterThan(epoch)
    expect(metadata().followerBaseMicros).toBeGreaterThan(followerBaseMicros ?? 0)
  })

  it('does not lose rows of a sink that was taken out of the job', async () => {
    await begun()
    target.down = true
    await follow(3_000, () => {
      job.write('input', ['a'])
    })
    const without: TestPipeline = (context) =>
      fromKafka(context, { topic: 'input', groupId: 'group' }).pipe(toKafka(context, { topic: 'copy' }))
    expect(await failure(job.run(without))).toMatchObject({ code: 'unclaimed-state', details: { uids: 'rows' } })
    job.write('input', ['b'])
    await job.run(without, { allowDropped: true })
    // From that commit on nobody asks for them.
    job.write('input', ['c'])
    await job.run(without)
    expect(job.read('copy')).toEqual(['b', 'c'])
    expect(rows()).toEqual([])
  })

  it('does not lose them by a reset either', async () => {
    await begun()
    target.down = true
    await follow(3_000, () => {
      job.write('input', ['a'])
    })
    const without: TestPipeline = (context) =>
      fromKafka(context, { topic: 'input', groupId: 'group' }).pipe(toKafka(context, { topic: 'copy' }))
    expect(await failure(job.run(without, { reset: earliest }))).toMatchObject({ code: 'unclaimed-state' })
    await job.run(without, { allowDropped: true })
    expect(job.read('copy')).toEqual(['a'])
  })

  it('begins only when the target has said what it has of the job', async () => {
    target.down = true
    job.write('input', ['a'])
    const running = job.start(pipeline)
    await job.clock.advance(60_000)
    expect(job.log.commits).toEqual([])
    target.down = false
    await job.clock.runUntil(running.finished)
    expect(rows()).toEqual(['a'])
  })

  it('takes a sink on that is new to it, and lets one go that has sent everything', async () => {
    const without: TestPipeline = (context) =>
      fromKafka(context, { topic: 'input', groupId: 'group' }).pipe(map(({ offset }) => offset))
    job.write('input', ['before'])
    await job.run(without)
    job.write('input', ['a'])
    await job.run(pipeline)
    expect(rows()).toEqual(['a'])
    job.write('input', ['without'])
    await job.run(without)
    job.write('input', ['b'])
    await job.run(pipeline)
    expect(rows()).toEqual(['a', 'b'])
  })

  it('restarts by its strategy when the follower throws what is no answer of the target', async () => {
    let failures = 2
    const failing: TestPipeline = (context) =>
      fromKafka(context, { topic: 'input', groupId: 'group' }).pipe(
        toTarget(context, {
          uid: 'rows',
          follower: () => {
            const inner = follower()
            return {
              name: inner.name,
              connect: () => inner.connect(),
              close: () => inner.close(),
              write: (sink, epoch) => {
                failures -= 1
                if (failures >= 0) throw new TypeError('a mistake')
                return inner.write(sink, epoch)
              },
            }
          },
        }),
      )
    job.write('input', ['a'])
    await job.run(failing, { restart: { strategy: 'fixed-delay', attempts: 2, delayMs: 1_000 } })
    expect(rows()).toEqual(['a'])
    failures = 2
    job.write('input', ['b'])
    expect(await failure(job.run(failing))).toMatchObject({ message: expect.stringMatching(/a mistake/) as unknown })
  })

  it('refuses two sinks with one uid, and a sink without', async () => {
    const sinks =
      (...uids: string[]): TestPipeline =>
      (context) =>
        uids.reduce(
          (records$, uid) => records$.pipe(toTarget(context, { uid, follower: () => follower() })),
          fromKafka(context, { topic: 'input', groupId: 'group' }),
        )
    expect(await failure(job.run(sinks('same', 'same')))).toMatchObject({ code: 'invalid-plan' })
    expect(await failure(job.run(sinks('')))).toMatchObject({ code: 'invalid-argument' })
  })
})
