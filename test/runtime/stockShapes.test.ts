import {
  asapScheduler,
  bufferCount,
  concatMap,
  concatWith,
  defer,
  elementAt,
  EMPTY,
  every,
  exhaustMap,
  find,
  from,
  groupBy,
  map,
  merge,
  mergeMap,
  NEVER,
  observeOn,
  of,
  onErrorResumeNextWith,
  race,
  repeat,
  share,
  shareReplay,
  skip,
  switchMap,
  takeLast,
  tap,
  timeout,
  toArray,
  windowCount,
  zip,
  type Observable,
} from 'rxjs'
import { describe, expect, it } from 'vitest'
import { asyncLookup } from '../../operators/asyncLookup.ts'
import { fromKafka } from '../../operators/fromKafka.ts'
import { toKafkaTransactional } from '../../operators/toKafka.ts'
import type { PipelineContext } from '../../src/core/context.ts'
import type { StreamRecord } from '../../src/core/record.ts'
import { failure, MemoryJob } from '../support/memoryJob.ts'

type Records$ = Observable<StreamRecord>

const source = (context: PipelineContext, topic = 'input'): Records$ => fromKafka(context, { topic, groupId: 'group' })

const sink = (context: PipelineContext) => toKafkaTransactional<StreamRecord>(context, { topic: 'output' })

const letters = ['a', 'b', 'c', 'd', 'e', 'f']

function jobWithInput(): MemoryJob {
  const job = new MemoryJob()
  job.write('input', letters)
  job.write('other', letters)
  return job
}

const lookup =
  (context: PipelineContext) =>
  (records$: Records$): Records$ =>
    records$.pipe(
      asyncLookup(context, { lookup: async (value: Buffer | null) => value, wait: 'unordered' }),
      map((record) => record.withValue(record.raw)),
    )

describe('a stock shape that would lose records stops the job, with nothing committed', () => {
  it.each<readonly [string, (context: PipelineContext) => Records$]>([
    [
      'find',
      (context) =>
        source(context).pipe(
          find(({ offset }) => offset === 1),
          mergeMap((record) => (record === undefined ? EMPTY : of(record))),
        ),
    ],
    ['elementAt', (context) => source(context).pipe(elementAt(1))],
    [
      'every',
      (context) => {
        const source$ = source(context)
        return merge(
          source$,
          source$.pipe(
            every(({ offset }) => offset < 2),
            concatMap(() => EMPTY),
          ),
        )
      },
    ],
    ['race', (context) => race(source(context), source(context, 'other'))],
    ['zip with something shorter', (context) => zip(source(context), of(1, 2)).pipe(map(([record]) => record))],
    ['repeat', (context) => source(context).pipe(repeat(2))],
    ['concatWith another source', (context) => source(context).pipe(concatWith(source(context, 'other')))],
    [
      'onErrorResumeNext',
      (context) =>
        source(context).pipe(
          tap(({ offset }) => failAt(offset, 2)),
          onErrorResumeNextWith(),
        ),
    ],
    [
      'switchMap over lookups',
      (context) => source(context).pipe(switchMap((record) => of(record).pipe(lookup(context)))),
    ],
    ['NEVER merged in', (context) => merge(source(context), NEVER)],
    [
      'a source that is subscribed after a promise',
      (context) => {
        const source$ = source(context)
        return from(Promise.resolve()).pipe(mergeMap(() => source$))
      },
    ],
  ])('%s', async (_name, shape) => {
    const job = jobWithInput()
    const error = await failure(job.run((context) => shape(context).pipe(sink(context))))
    expect('code' in error ? error.code : error.message).toMatch(
      /^(early-end|late-subscriber|no-subscriber|loss-in-drain|no-end|invalid-plan|stale-context)$/,
    )
    expect(job.log.commits.filter(({ epoch }) => epoch > 0)).toEqual([])
  })
})

function failAt(offset: number, at: number): void {
  if (offset === at) throw new Error('bad record')
}

describe('a stock shape that flushes at the end loses nothing', () => {
  it.each<readonly [string, (context: PipelineContext) => Records$]>([
    ['concatMap over promises', (context) => source(context).pipe(concatMap(async (record) => record))],
    ['mergeMap over promises', (context) => source(context).pipe(mergeMap(async (record) => record, 2))],
    [
      'mergeMap over lookups',
      (context) => source(context).pipe(mergeMap((record) => of(record).pipe(lookup(context)))),
    ],
    ['observeOn', (context) => source(context).pipe(observeOn(asapScheduler))],
    [
      'bufferCount',
      (context) =>
        source(context).pipe(
          bufferCount(4),
          mergeMap((records) => records),
        ),
    ],
    [
      'windowCount',
      (context) =>
        source(context).pipe(
          windowCount(4),
          mergeMap((records$) => records$),
        ),
    ],
    [
      'toArray',
      (context) =>
        source(context).pipe(
          toArray(),
          mergeMap((records) => records),
        ),
    ],
    ['takeLast', (context) => source(context).pipe(takeLast(6))],
    [
      'groupBy',
      (context) =>
        source(context).pipe(
          groupBy(({ offset }) => offset % 2),
          mergeMap((group$) => group$),
        ),
    ],
    ['exhaustMap that never overlaps', (context) => source(context).pipe(exhaustMap((record) => of(record)))],
    ['defer around a source', (context) => defer(() => source(context))],
    ['share', (context) => merge(source(context).pipe(share()), EMPTY)],
    ['shareReplay', (context) => source(context).pipe(shareReplay(1))],
    ['skip(0)', (context) => source(context).pipe(skip(0))],
    ['timeout that is not reached', (context) => source(context).pipe(timeout(3_600_000))],
    ['something static beside it', (context) => merge(source(context), EMPTY)],
  ])('%s', async (_name, shape) => {
    const job = jobWithInput()
    await job.run((context) => shape(context).pipe(sink(context)))
    expect(job.read('output').map(String).toSorted()).toEqual(letters)
  })
})
