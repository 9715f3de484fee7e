import { map, merge, share, type Observable } from 'rxjs'
import { describe, expect, it } from 'vitest'
import { fromKafka } from '../../operators/fromKafka.ts'
import { mapWithState } from '../../operators/mapWithState.ts'
import { toKafkaTransactional } from '../../operators/toKafka.ts'
import type { PipelineContext } from '../../src/core/context.ts'
import type { StreamRecord } from '../../src/core/record.ts'
import { failure, MemoryJob, type TestPipeline } from '../support/memoryJob.ts'

const source = (context: PipelineContext, topic = 'input'): Observable<StreamRecord> =>
  fromKafka(context, { topic, groupId: 'group' })

const to = (context: PipelineContext, topic: string) => toKafkaTransactional<StreamRecord>(context, { topic })

const count = (context: PipelineContext) =>
  mapWithState<Buffer | null, number, Buffer | null>(context, {
    uid: 'count',
    initial: () => 0,
    update: (state, { value }) => ({ state: state + 1, output: Buffer.from(`${String(value)}${String(state + 1)}`) }),
  })

const codeOf = (error: Error): unknown => ('code' in error ? error.code : undefined)

function keyedJob(): MemoryJob {
  const job = new MemoryJob()
  job.log.append(
    ['a', 'b'].map((value) => ({
      topic: 'input',
      partition: 0,
      key: Buffer.from('k'),
      value: Buffer.from(value),
      headers: [],
      timestamp: 0,
    })),
  )
  return job
}

describe('a stateful step with share() after it', () => {
  it('may have several consumers, and counts each record once', async () => {
    const job = keyedJob()
    await job.run((context) => {
      const counted$ = source(context).pipe(count(context), share())
      return [counted$.pipe(to(context, 'one')), counted$.pipe(to(context, 'two'))]
    })
    expect([job.read('one'), job.read('two')]).toEqual([
      ['a1', 'b2'],
      ['a1', 'b2'],
    ])
  })

  it('may be merged with itself', async () => {
    const job = keyedJob()
    await job.run((context) => {
      const counted$ = source(context).pipe(count(context), share())
      return merge(counted$.pipe(map((record) => record)), counted$).pipe(to(context, 'both'))
    })
    expect(job.read('both').map(String).toSorted()).toEqual(['a1', 'a1', 'b2', 'b2'])
  })
})

describe('what pipeline() returns', () => {
  it.each<readonly [string, () => unknown]>([
    ['nothing', () => undefined],
    ['a promise', () => Promise.resolve()],
    ['an array with a hole', () => [undefined]],
  ])('is refused in plain words when it is %s', async (_name, returned) => {
    const job = keyedJob()
    const pipeline = ((context: PipelineContext) => {
      source(context)
      return returned()
    }) as TestPipeline
    const error = await failure(job.run(pipeline))
    expect(codeOf(error)).toBe('invalid-plan')
    expect(error.message).toContain('must return an Observable, or an array of Observables')
  })
})
