import {
  catchError,
  concat,
  defer,
  EMPTY,
  first,
  interval,
  map,
  merge,
  mergeMap,
  retry,
  subscribeOn,
  asyncScheduler,
  take,
  takeUntil,
  takeWhile,
  tap,
  type Observable,
} from 'rxjs'
import { describe, expect, it } from 'vitest'
import { asyncLookup } from '../../operators/asyncLookup.ts'
import { fromKafka } from '../../operators/fromKafka.ts'
import { sideOutput } from '../../operators/sideOutput.ts'
import { toKafkaTransactional } from '../../operators/toKafka.ts'
import type { PipelineContext, SideOutput } from '../../src/core/context.ts'
import type { StreamRecord } from '../../src/core/record.ts'
import { failure, MemoryJob, type TestPipeline } from '../support/memoryJob.ts'

const letters = ['a', 'b', 'c', 'd', 'e', 'f']

const source = (context: PipelineContext, topic = 'input'): Observable<StreamRecord> =>
  fromKafka(context, { topic, groupId: 'group' })

const sink = (context: PipelineContext) => toKafkaTransactional<StreamRecord>(context, { topic: 'output' })

function jobWithInput(): MemoryJob {
  const job = new MemoryJob()
  job.write('input', letters)
  job.write('other', letters)
  return job
}

/** Runs a pipeline that breaks a guard and returns its error, after checking that nothing was committed. */
async function guardOf(pipeline: TestPipeline): Promise<Error & { code?: string }> {
  const job = jobWithInput()
  const error = await failure(job.run(pipeline, { restart: { strategy: 'fixed-delay', attempts: 3, delayMs: 1000 } }))
  expect(job.read('output')).toEqual([])
  expect(job.log.commits.filter(({ epoch }) => epoch > 0)).toEqual([])
  return error
}

const lookup = async (value: Buffer | null): Promise<Buffer | null> => value

describe('early end', () => {
  it.each<readonly [string, (source$: Observable<StreamRecord>) => Observable<StreamRecord>]>([
    ['take', (source$) => source$.pipe(take(3))],
    ['first', (source$) => source$.pipe(first())],
    ['takeWhile', (source$) => source$.pipe(takeWhile(({ value }) => value?.toString() !== 'c'))],
    [
      'takeUntil',
      (source$) => source$.pipe(takeUntil(source$.pipe(mergeMap((record) => (record.offset === 2 ? [1] : []))))),
    ],
    [
      'catchError(() => EMPTY)',
      (source$) =>
        source$.pipe(
          tap(({ offset }) => {
            if (offset === 2) throw new Error('bad record')
          }),
          catchError(() => EMPTY),
        ),
    ],
    [
      'retry',
      (source$) =>
        source$.pipe(
          tap(({ offset }) => {
            if (offset === 2) throw new Error('bad record')
          }),
          retry(2),
        ),
    ],
  ])('%s stops the job and names the remedy', async (_name, shape) => {
    const error = await guardOf((context) => shape(source(context)).pipe(sink(context)))
    expect(error.code).toMatch(/^(early-end|late-subscriber)$/)
    expect(error.message).toMatch(/remove it|merge/)
  })
})

describe('late or no subscriber', () => {
  it('concat of two sources stops the job', async () => {
    const error = await guardOf((context) => concat(source(context), source(context, 'other')).pipe(sink(context)))
    expect(error.code).toMatch(/^(no|late)-subscriber$/)
    expect(error.message).toContain('merge(a, b)')
  })

  it('subscribeOn stops the job', async () => {
    const error = await guardOf((context) => source(context).pipe(subscribeOn(asyncScheduler), sink(context)))
    expect(error.code).toBe('no-subscriber')
  })

  it('a source that only an inner Observable subscribes stops the job', async () => {
    const error = await guardOf((context) => {
      const other$ = source(context, 'other')
      return source(context).pipe(
        mergeMap(() => other$),
        sink(context),
      )
    })
    expect(error.code).toMatch(/^(no|late)-subscriber$/)
  })

  it('defer around a whole source is no late subscriber', async () => {
    const job = jobWithInput()
    await job.run((context) => {
      const source$ = source(context)
      return defer(() => source$).pipe(sink(context))
    })
    expect(job.read('output')).toEqual(letters)
  })
})

describe('loss in the drain', () => {
  it('take after asyncLookup, with lookups pending, stops the job', async () => {
    const error = await guardOf((context) =>
      source(context).pipe(
        asyncLookup(context, { lookup, wait: 'ordered', capacity: 100 }),
        take(2),
        map((record) => record.withValue(record.raw)),
        sink(context),
      ),
    )
    expect(error.code).toBe('loss-in-drain')
    expect(error.message).toContain('asyncLookup was torn down with')
  })

  it('an error of asyncLookup that catchError hides stops the job', async () => {
    const failing = async (): Promise<Buffer | null> => {
      throw new Error('lookup refused')
    }
    const error = await guardOf((context) =>
      source(context).pipe(
        asyncLookup(context, { lookup: failing, wait: 'ordered', retry: { attempts: 1 } }),
        catchError(() => EMPTY),
        map((record) => record.withValue(record.raw)),
        sink(context),
      ),
    )
    expect(error.code).toBe('loss-in-drain')
    expect(error.message).toContain('catchError(() => EMPTY)')
  })
})

describe('no end', () => {
  it('merge with an interval stops the job half a checkpoint timeout after the barrier', async () => {
    const job = jobWithInput()
    const running = job.start((context) => merge(source(context).pipe(sink(context)), interval(3_600_000)))
    const error = await failure(job.clock.runUntil(running.finished))
    expect((error as Error & { code?: string }).code).toBe('no-end')
    expect(job.read('output')).toEqual([])
  })
})

describe('a context that is used after its attempt', () => {
  it('stops the job when the attempt was committed', async () => {
    const job = jobWithInput()
    let late: SideOutput<StreamRecord> | null = null
    const running = job.start(
      (context) => {
        const side = sideOutput<StreamRecord>(context, 'late')
        if (context.epoch === 1) late = side
        return [
          source(context).pipe(
            tap((record) => {
              if (record.value?.toString() === 'again') late?.emit(record)
            }),
            sink(context),
          ),
          side.records$,
        ]
      },
      { follow: true },
    )
    await job.clock.advance(2000)
    expect(job.read('output')).toEqual(letters)
    job.write('input', ['again'])
    const error = await failure(job.clock.runUntil(running.finished))
    expect((error as Error & { code?: string }).code).toBe('stale-context')
    expect(error.message).toContain('outlived its epoch')
    expect(job.read('output')).toEqual(letters)
  })
})

it('a guard is never restarted and never halved', async () => {
  const job = jobWithInput()
  let attempts = 0
  await failure(
    job.run(
      (context) => {
        if (!context.planning) attempts += 1
        return source(context).pipe(take(1), sink(context))
      },
      { restart: { strategy: 'fixed-delay', attempts: 10, delayMs: 1 } },
    ),
  )
  expect(attempts).toBe(1)
})
