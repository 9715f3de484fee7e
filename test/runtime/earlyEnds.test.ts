import {
  catchError,
  EMPTY,
  finalize,
  first,
  map,
  merge,
  mergeMap,
  of,
  share,
  take,
  tap,
  throwError,
  type Observable,
} from 'rxjs'
import { describe, expect, it } from 'vitest'
import { asyncLookup } from '../../operators/asyncLookup.ts'
import { fromKafka } from '../../operators/fromKafka.ts'
import { sideOutput } from '../../operators/sideOutput.ts'
import { toKafkaTransactional } from '../../operators/toKafka.ts'
import type { PipelineContext } from '../../src/core/context.ts'
import type { StreamRecord } from '../../src/core/record.ts'
import { failure, MemoryJob, type TestPipeline } from '../support/memoryJob.ts'

const source = (context: PipelineContext, topic = 'input'): Observable<StreamRecord> =>
  fromKafka(context, { topic, groupId: 'group' })

const to = (context: PipelineContext, topic: string) => toKafkaTransactional<StreamRecord>(context, { topic })

const letters = ['a', 'b', 'c', 'd', 'e', 'f']

function jobWithInput(): MemoryJob {
  const job = new MemoryJob()
  job.write('input', letters)
  return job
}

const codeOf = (error: Error): unknown => ('code' in error ? error.code : undefined)

/** Runs a pipeline that must be stopped, and checks that nothing was committed. */
async function stoppedBy(pipeline: TestPipeline): Promise<Error> {
  const job = jobWithInput()
  const error = await failure(job.run(pipeline))
  expect(job.log.commits.filter(({ epoch }) => epoch > 0)).toEqual([])
  return error
}

describe('a consumer that ends before its input does', () => {
  it.each<readonly [string, RegExp, (records$: Observable<StreamRecord>) => Observable<StreamRecord>]>([
    ['take', /side output 'side' unsubscribed/, (records$) => records$.pipe(take(1))],
    ['first', /first ends it early/, (records$) => records$.pipe(first())],
    [
      'catchError(() => EMPTY)',
      /side output 'side' unsubscribed/,
      (records$) =>
        records$.pipe(
          tap(({ offset }) => {
            if (offset === 2) throw new Error('bad record')
          }),
          catchError(() => EMPTY),
        ),
    ],
  ])('of a side output stops the job: %s', async (_name, message, shape) => {
    const error = await stoppedBy((context) => {
      const side = sideOutput<StreamRecord>(context, 'side')
      return [
        source(context).pipe(
          tap((record) => {
            side.emit(record)
          }),
          to(context, 'main'),
        ),
        shape(side.records$).pipe(to(context, 'side')),
      ]
    })
    expect(codeOf(error)).toBe('early-end')
    expect(error.message).toMatch(message)
  })

  it('of a shared stream stops the job, although the source itself stays subscribed', async () => {
    const error = await stoppedBy((context) => {
      const input$ = source(context).pipe(share())
      return [input$.pipe(to(context, 'main')), input$.pipe(take(2), to(context, 'few'))]
    })
    expect(codeOf(error)).toBe('early-end')
  })

  it('of a shared stream stops the job where it is merged again', async () => {
    const error = await stoppedBy((context) => {
      const input$ = source(context).pipe(share())
      return merge(input$.pipe(to(context, 'main')), input$.pipe(take(2), to(context, 'few')))
    })
    expect(codeOf(error)).toBe('early-end')
  })

  it('is no mistake where a pipeline has no input at all', async () => {
    const job = jobWithInput()
    await job.run((context) => [source(context).pipe(to(context, 'main')), EMPTY])
    expect(job.read('main')).toEqual(letters)
  })

  it('is no mistake where an operator is part of an inner Observable', async () => {
    const job = jobWithInput()
    await job.run((context) => {
      const write = to(context, 'main')
      return source(context).pipe(mergeMap((record) => of(record).pipe(write)))
    })
    expect(job.read('main')).toEqual(letters)
  })
})

describe('an operator that is subscribed several times', () => {
  const lookup = async (value: Buffer | null, { offset }: StreamRecord): Promise<Buffer | null> => {
    for (let turn = 0; turn < 20 - offset; turn += 1) await Promise.resolve()
    return value
  }

  it('does not take the records of one subscription for losses of the other', async () => {
    const job = jobWithInput()
    await job.run((context) => {
      const looked$ = source(context).pipe(
        asyncLookup(context, { lookup, wait: 'ordered' }),
        map((record) => record.withValue(record.raw)),
      )
      return [looked$.pipe(to(context, 'one')), looked$.pipe(to(context, 'two'))]
    })
    expect(job.read('one')).toEqual(letters)
    expect(job.read('two')).toEqual(letters)
  })

  it('may be used for each record by itself', async () => {
    const job = jobWithInput()
    await job.run((context) => {
      const look = asyncLookup(context, { lookup, wait: 'ordered' })
      return source(context).pipe(
        mergeMap((record) => of(record).pipe(look)),
        map((record) => record.withValue(record.raw)),
        to(context, 'main'),
      )
    })
    expect(job.read('main').map(String).toSorted()).toEqual(letters)
  })
})

describe('an error that the pipeline passes on in other words', () => {
  it('is the failure, and not the end of the subscription that it caused', async () => {
    const error = await stoppedBy((context) =>
      source(context).pipe(
        tap(({ offset }) => {
          if (offset === 2) throw new Error('bad record')
        }),
        catchError((cause: unknown) => throwError(() => new Error('in step one', { cause }))),
        to(context, 'main'),
      ),
    )
    expect(codeOf(error)).toBe('pipeline-failed')
    expect(error.message).toContain('in step one')
  })

  it('is the failure after an operator that has records pending', async () => {
    const failing = async (_value: Buffer | null, { offset }: StreamRecord): Promise<Buffer | null> => {
      if (offset === 2) throw new Error('refused')
      return new Promise(() => undefined)
    }
    const error = await stoppedBy((context) =>
      source(context).pipe(
        asyncLookup(context, { lookup: failing, wait: 'unordered' }),
        catchError((cause: unknown) => throwError(() => new Error('in step one', { cause }))),
        map((record) => record.withValue(record.raw)),
        to(context, 'main'),
      ),
    )
    expect(codeOf(error)).toBe('pipeline-failed')
    expect(error.message).toContain('in step one')
  })
})

describe('a finalize that throws', () => {
  it('fails the epoch and not the process', async () => {
    const error = await stoppedBy((context) =>
      source(context).pipe(
        tap(({ offset }) => {
          if (offset === 2) throw new Error('bad record')
        }),
        finalize(() => {
          throw new Error('cannot clean up')
        }),
        to(context, 'main'),
      ),
    )
    expect(codeOf(error)).toBe('pipeline-failed')
  })
})
