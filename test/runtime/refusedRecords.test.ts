import { map, mergeMap, toArray } from 'rxjs'
import { describe, expect, it } from 'vitest'
import { fromKafka } from '../../operators/fromKafka.ts'
import { mapWithState } from '../../operators/mapWithState.ts'
import { sideOutput } from '../../operators/sideOutput.ts'
import { toKafkaTransactional } from '../../operators/toKafka.ts'
import type { PipelineContext } from '../../src/core/context.ts'
import type { DeadLetter } from '../../src/core/deadLetter.ts'
import { TidemarkError } from '../../src/core/errors.ts'
import type { OutputRecord, StreamRecord } from '../../src/core/record.ts'
import { failure, MemoryJob, type TestPipeline } from '../support/memoryJob.ts'

const numbers = Array.from({ length: 100 }, (_, index) => String(index))

/** A job whose log refuses some records only when they are sent. */
function jobThatRefuses(topics: Readonly<Record<string, (record: OutputRecord) => boolean>>): MemoryJob {
  const job = new MemoryJob()
  job.write('input', numbers)
  for (const [topic, isRefused] of Object.entries(topics)) {
    const error = new TidemarkError('invalid-output', `Topic ${topic} does not take the output. The broker says no`)
    job.log.ensureTopic(topic, { refuses: (record) => (isRefused(record) ? error : null) })
  }
  return job
}

const source = (context: PipelineContext) => fromKafka(context, { topic: 'input', groupId: 'group' })

const withDeadLetters: TestPipeline = (context) => {
  const deadLetters = sideOutput<DeadLetter>(context, 'dead-letters')
  return [
    source(context).pipe(toKafkaTransactional(context, { topic: 'output', onError: deadLetters })),
    deadLetters.records$.pipe(toKafkaTransactional(context, { topic: 'dlq', name: 'dead-letter-topic' })),
  ]
}

const isTen = ({ value }: OutputRecord): boolean => Number(value?.toString()) % 10 === 0

const header = (record: StreamRecord | undefined, name: string): string | undefined =>
  record?.headers.find(([other]) => other === name)?.[1]?.toString()

const none = { strategy: 'none' } as const

describe('records that the log refuses when they are sent', () => {
  it('become dead letters with its words, the others go on, and nothing of that is a failure', async () => {
    const job = jobThatRefuses({ output: isTen })
    const result = await job.run(withDeadLetters, { restart: none })
    expect(result).toMatchObject({ records: 100, aborted: 1 })
    expect(job.read('output')).toEqual(numbers.filter((value) => Number(value) % 10 !== 0))
    const dead = job.log.topic('dlq').records()
    expect(dead.map((record) => header(record, 'source-offset'))).toEqual(numbers.filter((n) => Number(n) % 10 === 0))
    expect(new Set(dead.map((record) => header(record, 'error-code')))).toEqual(new Set(['invalid-output']))
    expect(dead[0]?.raw?.toString()).toContain('The broker says no')
  })

  it('are known by what they are, also where the replay sends them in another order', async () => {
    const job = jobThatRefuses({ output: isTen })
    let attempts = 0
    const reversedOnReplay: TestPipeline = (context) => {
      attempts += 1
      const isReplay = attempts > 1
      const deadLetters = sideOutput<DeadLetter>(context, 'dead-letters')
      return [
        source(context).pipe(
          toArray(),
          mergeMap((records) => (isReplay ? records.toReversed() : records)),
          toKafkaTransactional(context, { topic: 'output', onError: deadLetters }),
        ),
        deadLetters.records$.pipe(toKafkaTransactional(context, { topic: 'dlq', name: 'dead-letter-topic' })),
      ]
    }
    const result = await job.run(reversedOnReplay, { restart: none })
    expect(result.aborted).toBe(1)
    expect(job.read('output')).toEqual(numbers.filter((value) => Number(value) % 10 !== 0).toReversed())
    expect(job.log.topic('dlq').records()).toHaveLength(10)
  })

  it.each<[string, (record: OutputRecord) => boolean]>([
    ['a key', ({ key }) => key === null],
    ['less text', ({ value }) => (value?.length ?? 0) > 150],
    ['no time of the source', ({ timestamp }) => timestamp > 0],
  ])('lead to a dead letter that is changed until the log takes it: %s', async (_what, isRefused) => {
    const job = jobThatRefuses({ output: isTen, dlq: isRefused })
    const result = await job.run(withDeadLetters, { restart: none })
    expect(result.aborted).toBeLessThanOrEqual(4)
    expect(job.log.topic('dlq').records()).toHaveLength(10)
    expect(job.read('output')).toHaveLength(90)
  })

  it('whose dead letter is refused in every form stop the job with the position of the source', async () => {
    const job = jobThatRefuses({ output: isTen, dlq: (record) => isOfSeventy(record) })
    const error = await failure(
      job.run(withDeadLetters, { restart: { strategy: 'fixed-delay', attempts: 1, delayMs: 10 } }),
    )
    expect(error).toMatchObject({ code: 'poison-record', details: { topic: 'input', partition: 0, offset: 70 } })
    expect(error.message).toContain('The broker says no')
    expect(job.read('output')).toEqual(numbers.slice(0, 70).filter((value) => Number(value) % 10 !== 0))
  })

  it('stop a job without onError with topic, partition and offset of the record', async () => {
    const job = jobThatRefuses({ output: ({ value }) => value?.toString() === '42' })
    const error = await failure(
      job.run((context) => source(context).pipe(toKafkaTransactional(context, { topic: 'output' })), { restart: none }),
    )
    expect(error).toMatchObject({ details: { topic: 'input', partition: 0, offset: 42 } })
    expect(error.message).toContain('The broker says no')
  })

  it('are not looked for without end where each replay makes other records', async () => {
    const job = jobThatRefuses({ output: ({ value }) => value?.toString().startsWith('42 ') === true })
    let attempts = 0
    const error = await failure(
      job.run(
        (context) => {
          attempts += 1
          const attempt = attempts
          const deadLetters = sideOutput<DeadLetter>(context, 'dead-letters')
          return [
            source(context).pipe(
              map((record) => record.withValue(`${String(record.raw)} ${String(attempt)}`)),
              toKafkaTransactional(context, { topic: 'output', onError: deadLetters }),
            ),
            deadLetters.records$.pipe(toKafkaTransactional(context, { topic: 'dlq', name: 'dead-letter-topic' })),
          ]
        },
        { restart: { strategy: 'fixed-delay', attempts: 2, delayMs: 10 } },
      ),
    )
    expect(error).toMatchObject({ code: 'poison-record', details: { topic: 'input', partition: 0, offset: 42 } })
    expect(attempts).toBeLessThan(60)
  })

  it('change no state: the replay counts every record once', async () => {
    const job = jobThatRefuses({ output: ({ value }) => value?.toString() === '50' })
    await job.run(
      (context) => {
        const deadLetters = sideOutput<DeadLetter>(context, 'dead-letters')
        return [
          source(context).pipe(
            map((record) => Object.assign(record, { key: Buffer.from('k') })),
            mapWithState<Buffer | null, number, string>(context, {
              uid: 'count',
              initial: () => 0,
              update: (state) => ({ state: state + 1, output: String(state + 1) }),
            }),
            toKafkaTransactional(context, { topic: 'output', onError: deadLetters }),
          ),
          deadLetters.records$.pipe(toKafkaTransactional(context, { topic: 'dlq', name: 'dead-letter-topic' })),
        ]
      },
      { restart: none },
    )
    const expected = Array.from({ length: 100 }, (_, index) => String(index + 1)).filter((value) => value !== '50')
    expect(job.read('output')).toEqual(expected)
    expect(job.log.topic('dlq').records()).toHaveLength(1)
  })
})

/** Whatever the form: the dead letter of record 70. */
function isOfSeventy(record: OutputRecord): boolean {
  return record.headers.some(([name, value]) => name === 'source-offset' && value?.toString() === '70')
}
