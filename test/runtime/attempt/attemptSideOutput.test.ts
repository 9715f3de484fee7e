import { map, mergeMap, of, tap, type Observable } from 'rxjs'
import { describe, expect, it } from 'vitest'
import { fromKafka } from '../../../operators/fromKafka.ts'
import { decodeJson } from '../../../operators/decodeJson.ts'
import { sideOutput } from '../../../operators/sideOutput.ts'
import { toKafkaTransactional } from '../../../operators/toKafka.ts'
import type { PipelineContext } from '../../../src/core/context.ts'
import type { DeadLetter } from '../../../src/core/deadLetter.ts'
import type { StreamRecord } from '../../../src/core/record.ts'
import * as t from 'io-ts'
import { failure, MemoryJob } from '../../support/memoryJob.ts'

const source = (context: PipelineContext): Observable<StreamRecord> =>
  fromKafka(context, { topic: 'input', groupId: 'group' })

const to = (context: PipelineContext, topic: string) => toKafkaTransactional<StreamRecord>(context, { topic })

function jobWithInput(): MemoryJob {
  const job = new MemoryJob()
  job.write('input', ['a', 'b', 'c'])
  return job
}

const codeOf = (error: Error): unknown => ('code' in error ? error.code : undefined)

describe('a side output', () => {
  it('completes when the pipelines before its consumer have, so a side of a side drains too', async () => {
    const job = jobWithInput()
    await job.run((context) => {
      const first = sideOutput<StreamRecord>(context, 'first')
      const second = sideOutput<StreamRecord>(context, 'second')
      return [
        source(context).pipe(
          tap((record) => first.emit(record)),
          to(context, 'main'),
        ),
        first.records$.pipe(
          tap((record) => second.emit(record)),
          to(context, 'first'),
        ),
        second.records$.pipe(to(context, 'second')),
      ]
    })
    expect([job.read('main'), job.read('first'), job.read('second')]).toEqual([
      ['a', 'b', 'c'],
      ['a', 'b', 'c'],
      ['a', 'b', 'c'],
    ])
    expect(job.log.commits.at(-1)?.outputs).toEqual({ main: 3, first: 3, second: 3 })
  })

  it('that nobody consumes is a plan error', async () => {
    const error = await failure(
      jobWithInput().run((context) => {
        sideOutput<StreamRecord>(context, 'forgotten')
        return source(context).pipe(to(context, 'main'))
      }),
    )
    expect(codeOf(error)).toBe('invalid-plan')
    expect(error.message).toContain("'forgotten'")
  })

  it('that is fed by its own consumer is a plan error', async () => {
    const error = await failure(
      jobWithInput().run((context) => {
        const loop = sideOutput<DeadLetter>(context, 'loop')
        return [
          source(context).pipe(to(context, 'main')),
          loop.records$.pipe(
            map(({ record }) => record.withValue(record.raw)),
            decodeJson(context, t.string, { onError: loop }),
          ),
        ]
      }),
    )
    expect(codeOf(error)).toBe('invalid-plan')
    expect(error.message).toContain('could never complete')
  })

  it('that is returned before the pipeline that feeds it is a plan error', async () => {
    const error = await failure(
      jobWithInput().run((context) => {
        const early = sideOutput<DeadLetter>(context, 'early')
        const main$ = source(context).pipe(decodeJson(context, t.string, { onError: early }))
        return [early.records$, main$]
      }),
    )
    expect(codeOf(error)).toBe('invalid-plan')
    expect(error.message).toContain('after all feeders')
  })

  it('fails the epoch when it is emitted to after it has completed', async () => {
    const job = jobWithInput()
    const error = await failure(
      job.run((context) => {
        const early = sideOutput<StreamRecord>(context, 'early')
        return [
          early.records$,
          source(context).pipe(
            tap((record) => early.emit(record)),
            to(context, 'main'),
          ),
        ]
      }),
    )
    expect(codeOf(error)).toBe('side-output-closed')
    expect(job.read('main')).toEqual([])
  })

  it('of another attempt cannot be emitted to', async () => {
    const job = jobWithInput()
    let planned: { emit(record: StreamRecord): void } | null = null
    const error = await failure(
      job.run((context) => {
        const side = sideOutput<StreamRecord>(context, 'side')
        planned ??= side
        const foreign = planned
        return [
          source(context).pipe(
            tap((record) => foreign.emit(record)),
            to(context, 'main'),
          ),
          side.records$,
        ]
      }),
    )
    expect(codeOf(error)).toBe('stale-context')
    expect(job.read('main')).toEqual([])
  })

  it('that is subscribed inside an inner Observable stops the job', async () => {
    const job = jobWithInput()
    const error = await failure(
      job.run((context) => {
        const side = sideOutput<StreamRecord>(context, 'side')
        return [
          source(context).pipe(to(context, 'main')),
          side.records$,
          source(context).pipe(mergeMap((record) => (record.offset === 0 ? side.records$ : of(record)))),
        ]
      }),
    )
    expect(codeOf(error)).toBe('late-subscriber')
    expect(job.read('main')).toEqual([])
  })

  it('gets the errors of all pipelines: one failing pipeline fails the epoch of all', async () => {
    const job = jobWithInput()
    const error = await failure(
      job.run((context) => {
        const side = sideOutput<StreamRecord>(context, 'side')
        return [
          source(context).pipe(
            tap((record) => side.emit(record)),
            to(context, 'main'),
          ),
          side.records$.pipe(
            tap(() => {
              throw new Error('side failed')
            }),
          ),
        ]
      }),
    )
    expect(codeOf(error)).toBe('pipeline-failed')
    expect(error.message).toContain('side failed')
    expect(job.read('main')).toEqual([])
  })
})
