import { describe, expect, it } from 'vitest'
import { fromKafka } from '../../operators/fromKafka.ts'
import { sideOutput } from '../../operators/sideOutput.ts'
import { toKafkaTransactional } from '../../operators/toKafka.ts'
import type { DeadLetter } from '../../src/core/deadLetter.ts'
import { TidemarkError } from '../../src/core/errors.ts'
import type { StreamRecord } from '../../src/core/record.ts'
import type { TaskReader } from '../../src/core/ports/inputs.ts'
import { UnreadRecord } from '../../src/core/unreadRecord.ts'
import type { JobEnvironment } from '../../src/runtime/job/jobEnvironment.ts'
import { override, withTaskLog, withTransactions } from '../support/faultyLog.ts'
import { failure, MemoryJob, type TestPipeline } from '../support/memoryJob.ts'

interface Unread {
  readonly offset: number
  readonly next: number
  readonly skipped: boolean
}

/** A world in which one stretch of the input cannot be read: what its reader has instead of the records there. */
function withUnread({ offset, next, skipped }: Unread): (world: JobEnvironment) => JobEnvironment {
  const error = new TidemarkError('input-too-large', 'Record input 0@2 takes too much')
  const instead = (record: StreamRecord): UnreadRecord => {
    const { topic, partition, timestamp } = record
    return new UnreadRecord(error, { topic, partition, offset, next, timestamp, bytes: 150_000_000, skipped })
  }
  return withTaskLog((log) =>
    override(log, {
      inputs: override(log.inputs, {
        read: (positions, ends) => {
          const reader = log.inputs.read(positions, ends)
          return override<TaskReader>(reader, {
            next: () => {
              const record = reader.next()
              if (record?.offset !== offset) return record
              for (let passed = offset + 1; passed < next; passed += 1) reader.next()
              return instead(record)
            },
          })
        },
      }),
    }),
  )
}

const source: TestPipeline = (context) =>
  fromKafka(context, { topic: 'input', groupId: 'group' }).pipe(toKafkaTransactional(context, { topic: 'output' }))

const withDeadLetters: TestPipeline = (context) => {
  const deadLetters = sideOutput<DeadLetter>(context, 'dead-letters', { order: 'position' })
  return [
    fromKafka(context, { topic: 'input', groupId: 'group' }).pipe(
      toKafkaTransactional(context, { topic: 'output', onError: deadLetters }),
    ),
    deadLetters.records$.pipe(toKafkaTransactional(context, { topic: 'dlq', name: 'dead-letter-topic' })),
  ]
}

function jobOf(): MemoryJob {
  const job = new MemoryJob()
  job.write('input', ['a', 'b', 'c', 'd', 'e', 'f'])
  return job
}

const headersOf = (record: StreamRecord | undefined): Readonly<Record<string, string>> =>
  Object.fromEntries(record?.headers.map(([name, value]) => [name, value?.toString() ?? '']) ?? [])

const none = { strategy: 'none' } as const

describe('what cannot be read', () => {
  it('goes to the dead letters by its position, and the others go on', async () => {
    const job = jobOf()
    const environment = withUnread({ offset: 2, next: 3, skipped: false })
    const result = await job.run(withDeadLetters, { environment, restart: none })
    expect(result).toMatchObject({ records: 6, aborted: 0 })
    expect(result.tallies).toEqual([{ name: 'dead-letters', labels: ['input-too-large'], count: 1 }])
    expect(job.read('output')).toEqual(['a', 'b', 'd', 'e', 'f'])
    const [dead, ...others] = job.log.topic('dlq').records()
    expect(others).toEqual([])
    expect([dead?.key, JSON.parse(dead?.raw?.toString() ?? '')]).toEqual([
      null,
      { error: 'Record input 0@2 takes too much', originalMessage: null, timestamp: job.clock.now() },
    ])
    expect(headersOf(dead)).toEqual({
      'error-code': 'input-too-large',
      'source-topic': 'input',
      'source-partition': '0',
      'source-offset': '2',
      epoch: '1',
      'original-bytes': '150000000',
    })
  })

  it('names the last of several records that were passed', async () => {
    const job = jobOf()
    await job.run(withDeadLetters, { environment: withUnread({ offset: 2, next: 5, skipped: true }), restart: none })
    expect(job.read('output')).toEqual(['a', 'b', 'f'])
    expect(headersOf(job.log.topic('dlq').records()[0])['source-last-offset']).toBe('4')
  })

  it('is in the same commit as the position behind it: an epoch that is replayed has it once', async () => {
    const job = jobOf()
    const unread = withUnread({ offset: 2, next: 3, skipped: false })
    const fails = withTransactions((transaction, index) =>
      override(transaction, {
        ...(index === 1
          ? { prepare: () => Promise.reject(new TidemarkError('commit-failed', 'no answer', { retriable: true })) }
          : {}),
      }),
    )
    const running = job.start(withDeadLetters, { environment: (world) => unread(fails(world)) })
    await job.clock.advance(5_000)
    await running.finished
    expect(job.read('output')).toEqual(['a', 'b', 'd', 'e', 'f'])
    expect(job.log.topic('dlq').records()).toHaveLength(1)
  })

  it('stops a job that has no side output for bad records, by its own code and with the way past', async () => {
    const job = jobOf()
    const environment = withUnread({ offset: 2, next: 3, skipped: false })
    const error = await failure(job.run(source, { environment }))
    expect(error).toMatchObject({ code: 'unreadable-input', kind: 'guard', details: { offset: 2 } })
    expect(error.message).toMatch(/Record input 0@2 takes too much, and the job has no side output.*--skip input:0@2$/)
    expect(job.read('output')).toEqual([])
  })

  it('is passed by a job without dead letters where somebody has asked for it', async () => {
    const job = jobOf()
    const environment = withUnread({ offset: 2, next: 3, skipped: true })
    const result = await job.run(source, { environment, restart: none })
    expect(result.tallies).toEqual([{ name: 'skipped', labels: ['input-too-large'], count: 1 }])
    expect(job.read('output')).toEqual(['a', 'b', 'd', 'e', 'f'])
  })
})

it.each([
  ['other', 0, /does not read topic other. It reads input/],
  ['input', 1, /topic input has 1 partitions/],
])('--skip of %s %i is refused, because the job has no such input', async (topic, partition, message) => {
  const error = await failure(jobOf().run(source, { skips: [{ topic, partition, offset: 3 }] }))
  expect(error).toMatchObject({ code: 'invalid-input' })
  expect(error.message).toMatch(message)
})
