import { map, merge, share, tap, type Observable } from 'rxjs'
import { describe, expect, it } from 'vitest'
import { fromKafka } from '../../../operators/fromKafka.ts'
import { toKafkaTransactional } from '../../../operators/toKafka.ts'
import type { PipelineContext, Step } from '../../../src/core/context.ts'
import { TidemarkError } from '../../../src/core/errors.ts'
import { operate } from '../../../src/core/operate.ts'
import type { StreamRecord } from '../../../src/core/record.ts'
import { failure, MemoryJob, type TestPipeline } from '../../support/memoryJob.ts'

const source = (context: PipelineContext, topic = 'input'): Observable<StreamRecord> =>
  fromKafka(context, { topic, groupId: 'group' })

const copy: TestPipeline = (context) => source(context).pipe(toKafkaTransactional(context, { topic: 'output' }))

/** Copies, and throws at the record with this value. */
const failingAt =
  (value: string, attempts: string[][] = []): TestPipeline =>
  (context) => {
    const seen: string[] = []
    if (!context.planning) attempts.push(seen)
    return source(context).pipe(
      tap((record) => {
        seen.push(record.value?.toString() ?? '')
        if (record.value?.toString() === value) throw new Error('cannot take this one')
      }),
      toKafkaTransactional(context, { topic: 'output' }),
    )
  }

const numbers = (count: number): string[] => Array.from({ length: count }, (_, index) => String(index))

const codeOf = (error: Error): unknown => ('code' in error ? error.code : undefined)

describe('an epoch', () => {
  it('is cut by time, and an idle task opens none', async () => {
    const job = new MemoryJob()
    job.write('input', ['a'])
    const running = job.start(copy, { follow: true })
    await job.clock.advance(999)
    expect(job.read('output')).toEqual([])
    await job.clock.advance(1)
    expect(job.read('output')).toEqual(['a'])
    await job.clock.advance(60_000)
    expect(job.log.commits.map(({ epoch }) => epoch)).toEqual([0, 1])
    job.write('input', ['b'])
    await job.clock.advance(1000)
    expect(job.read('output')).toEqual(['a', 'b'])
    running.stop()
    expect((await job.clock.runUntil(running.finished)).outcome).toBe('stopped')
    expect(job.clock.pending).toBe(0)
  })

  it('is cut by bytes before its time, so that memory stays bounded', async () => {
    const job = new MemoryJob()
    job.write(
      'input',
      numbers(100).map((text) => text.padStart(100, '0')),
    )
    await job.run(copy, { epochBytes: 2000 })
    expect(job.read('output')).toHaveLength(100)
    expect(job.log.commits.length).toBeGreaterThan(9)
  })

  it('waits for the minimum pause after a commit', async () => {
    const job = new MemoryJob()
    job.write('input', ['a'])
    const running = job.start(copy, { follow: true, checkpoint: { intervalMs: 100, minPauseMs: 5000 } })
    await job.clock.advance(100)
    expect(job.read('output')).toEqual(['a'])
    job.write('input', ['b'])
    await job.clock.advance(4999)
    expect(job.read('output')).toEqual(['a'])
    await job.clock.advance(1)
    expect(job.read('output')).toEqual(['a', 'b'])
    running.stop()
    await job.clock.runUntil(running.finished)
  })

  it('commits what it has when the job is stopped', async () => {
    const job = new MemoryJob()
    job.write('input', ['a', 'b'])
    const running = job.start(copy, { follow: true, checkpoint: { intervalMs: 3_600_000 } })
    await job.clock.advance(10)
    running.stop()
    const result = await job.clock.runUntil(running.finished)
    expect(result).toMatchObject({ outcome: 'stopped', records: 2 })
    expect(job.read('output')).toEqual(['a', 'b'])
  })

  it('that takes longer than the checkpoint timeout from its barrier is aborted, counted and replayed', async () => {
    const job = new MemoryJob()
    job.write('input', ['a'])
    let attempts = 0
    const slow: TestPipeline = (context) => {
      if (!context.planning) attempts += 1
      const delayMs = attempts === 1 ? 10_000 : 0
      const step = context.step({ kind: 'slow' })
      return source(context).pipe(
        map((record) => record),
        (source$) => holdUntilLater(context, step, source$, delayMs),
        toKafkaTransactional(context, { topic: 'output' }),
      )
    }
    const result = await job.run(slow, {
      checkpoint: { timeoutMs: 3000 },
      restart: { strategy: 'fixed-delay', attempts: 1, delayMs: 1000 },
    })
    expect(result.aborted).toBe(1)
    expect(job.read('output')).toEqual(['a'])
    attempts = -10
    job.write('input', ['b'])
    const error = await failure(
      job.run(
        (context) => {
          attempts = 0
          return slow(context)
        },
        { checkpoint: { timeoutMs: 3000 } },
      ),
    )
    expect(codeOf(error)).toBe('checkpoint-timeout')
  })
})

/** Holds all records for a while after the source has completed, as an operator of ours that reports what it holds. */
function holdUntilLater(
  context: PipelineContext,
  step: Step,
  source$: Observable<StreamRecord>,
  delayMs: number,
): Observable<StreamRecord> {
  return operate<StreamRecord, StreamRecord>(step, source$, (destination) => {
    const held: StreamRecord[] = []
    let timer: { cancel(): void } | null = null
    return {
      next(record) {
        held.push(record)
        step.pending += 1
      },
      complete() {
        timer = context.clock.after(delayMs, () => {
          for (const record of held) {
            step.pending -= 1
            destination.next(record)
          }
          destination.complete()
        })
      },
      teardown: () => timer?.cancel(),
    }
  })
}

describe('a failing record', () => {
  it('is found by halving, named with its position, and everything before it is committed', async () => {
    const job = new MemoryJob()
    job.write('input', numbers(100))
    const attempts: string[][] = []
    const error = await failure(
      job.run(failingAt('42', attempts), { restart: { strategy: 'fixed-delay', attempts: 1, delayMs: 1000 } }),
    )
    expect(codeOf(error)).toBe('poison-record')
    expect(error.message).toContain('input 0@42')
    expect(error.message).toContain('cannot take this one')
    expect(job.read('output')).toEqual(numbers(42))
    expect(attempts.at(-1)).toEqual(['42'])
  })

  it('counts as one failure for all its halves', async () => {
    const job = new MemoryJob()
    job.write('input', numbers(1000))
    const before = job.clock.now()
    const error = await failure(
      job.run(failingAt('777'), { restart: { strategy: 'fixed-delay', attempts: 3, delayMs: 10_000 } }),
    )
    expect(codeOf(error)).toBe('poison-record')
    // A first failure, then three restarts; the halves themselves take no time.
    expect(job.clock.now() - before).toBeLessThanOrEqual(40_000)
    expect(job.read('output')).toEqual(numbers(777))
  })

  it('that fails only once costs one replay', async () => {
    const job = new MemoryJob()
    job.write('input', numbers(10))
    let failed = false
    const result = await job.run(
      (context) =>
        source(context).pipe(
          tap(({ offset }) => {
            if (offset !== 5 || failed) return
            failed = true
            throw new Error('once')
          }),
          toKafkaTransactional(context, { topic: 'output' }),
        ),
      { restart: { strategy: 'fixed-delay', attempts: 1, delayMs: 1000 } },
    )
    expect(result).toMatchObject({ records: 10, aborted: 1 })
    expect(job.read('output')).toEqual(numbers(10))
  })

  it('stops the job at the fourth failure of fixed delay with 3 attempts', async () => {
    const job = new MemoryJob()
    job.write('input', ['x'])
    const attempts: string[][] = []
    await failure(
      job.run(failingAt('x', attempts), { restart: { strategy: 'fixed-delay', attempts: 3, delayMs: 10_000 } }),
    )
    expect(attempts).toHaveLength(4)
  })
})

describe('a task', () => {
  it('starts from the committed position of an earlier run', async () => {
    const job = new MemoryJob()
    job.write('input', ['a', 'b'])
    await job.run(copy)
    job.write('input', ['c'])
    const result = await job.run(copy)
    expect(result.records).toBe(1)
    expect(job.read('output')).toEqual(['a', 'b', 'c'])
  })

  it('commits its start position as epoch 0 before it reads', async () => {
    const job = new MemoryJob()
    job.write('input', ['old'])
    const latest: TestPipeline = (context) =>
      fromKafka(context, { topic: 'input', groupId: 'group', startFrom: { kind: 'latest' } }).pipe(
        toKafkaTransactional(context, { topic: 'output' }),
      )
    await job.run(latest)
    expect(job.log.commits).toMatchObject([{ epoch: 0 }])
    job.write('input', ['new'])
    await job.run(latest)
    expect(job.read('output')).toEqual(['new'])
  })

  it('is not started where two patterns begin the same topic at different places', async () => {
    const job = new MemoryJob()
    job.write('orders-eu', ['a'])
    const error = await failure(
      job.run((context) =>
        merge(
          fromKafka(context, { topic: /^orders-/, groupId: 'group' }),
          fromKafka(context, { topic: /-eu$/, groupId: 'group', startFrom: { kind: 'latest' } }),
        ).pipe(toKafkaTransactional(context, { topic: 'output' })),
      ),
    )
    expect(codeOf(error)).toBe('invalid-plan')
    expect(error.message).toContain(
      'reads topic orders-eu twice, from earliest in kafka-source and from latest in kafka-source-2',
    )
    expect(job.log.commits).toEqual([])
  })

  it('begins anew with --reset-offsets, one epoch on and in a new lineage', async () => {
    const job = new MemoryJob()
    job.write('input', ['a', 'b'])
    await job.run(copy)
    await job.run(copy, { reset: { kind: 'earliest' } })
    expect(job.read('output')).toEqual(['a', 'b', 'a', 'b'])
    expect(job.log.commits.map(({ epoch }) => epoch)).toEqual([0, 1, 2, 3])
  })

  it('resets no partition when one of the offsets is out of range', async () => {
    const job = new MemoryJob()
    job.log.ensureTopic('input', { partitions: 2 })
    job.write('input', ['a'], 0)
    job.write('input', ['b'], 1)
    await job.run(copy)
    const before = job.log.commits.length
    const reset = {
      kind: 'offsets' as const,
      offsets: new Map([
        [0, 0],
        [1, 99],
      ]),
    }
    const error = await failure(job.run(copy, { reset }))
    expect(codeOf(error)).toBe('invalid-setting')
    expect(error.message).toContain('input 1@99')
    expect(job.log.commits).toHaveLength(before)
  })

  it('stops by name when its next record was removed', async () => {
    const job = new MemoryJob()
    job.write('input', ['a'])
    await job.run(copy)
    const committed = { offset: 7, metadata: '' }
    const metadata = job.log.committed({ groupId: 'group', partition: 0 }, 'input')?.metadata
    job.log.setOffset('group', 'input', 0, { ...committed, metadata: metadata ?? '' })
    const error = await failure(job.run(copy))
    expect(codeOf(error)).toBe('data-removed')
    expect(error.message).toContain('input 0@7')
  })

  it('reads several sources, multicast, and ends them together', async () => {
    const job = new MemoryJob()
    job.write('input', ['a', 'b'])
    job.write('other', ['1', '2'])
    await job.run((context) => {
      const input$ = source(context).pipe(share())
      return [
        merge(input$, source(context, 'other')).pipe(toKafkaTransactional(context, { topic: 'both' })),
        input$.pipe(toKafkaTransactional(context, { topic: 'one' })),
      ]
    })
    expect(job.read('both').map(String).toSorted()).toEqual(['1', '2', 'a', 'b'])
    expect(job.read('one')).toEqual(['a', 'b'])
  })

  it('stops at once when its configuration is wrong', async () => {
    const job = new MemoryJob()
    job.write('input', ['a'])
    const error = await failure(
      job.run(
        (context) =>
          merge(
            fromKafka(context, { topic: 'input', groupId: 'one' }),
            fromKafka(context, { topic: 'input', groupId: 'two' }),
          ).pipe(toKafkaTransactional(context, { topic: 'output' })),
        { restart: { strategy: 'fixed-delay', attempts: 3, delayMs: 1 } },
      ),
    )
    expect(error).toBeInstanceOf(TidemarkError)
    expect(codeOf(error)).toBe('invalid-plan')
    expect(error.message).toContain('one, two')
  })
})
