import { beforeEach, describe, expect, it } from 'vitest'
import {
  KafkaTransaction,
  type KafkaTransactionOptions,
} from '../../../../src/connectors/kafka/write/kafkaTransaction.ts'
import { RecordBatchBuilder } from '../../../../src/connectors/kafka/protocol/recordBatchBuilder.ts'
import { Partitioner } from '../../../../src/core/partitioner.ts'
import type { PlacedBatch } from '../../../../src/connectors/kafka/write/recordPlacement.ts'
import { TaskProducer } from '../../../../src/connectors/kafka/write/taskProducer.ts'
import { ManualClock } from '../../../../src/testing/world/manualClock.ts'
import { FakeBroker } from '../fakeBroker.ts'
import { output } from '../kafkaWorld.ts'

const wanted = (): boolean => false
const answerLost = (): Promise<never> => Promise.reject(new Error('read ECONNRESET'))

let clock: ManualClock
let broker: FakeBroker
/** What came in, and how each is answered; none left: stored. */
let batches: Buffer[]
/** Partitions that were named, in order. */
let added: string[]
let refusals: number[]
let producer: TaskProducer

beforeEach(async () => {
  clock = new ManualClock(1_700_000_000_000)
  broker = new FakeBroker()
  batches = []
  refusals = []
  broker.methods['initProducerId'] = () => Promise.resolve({ producerId: '7', producerEpoch: 3 })
  for (const name of ['addOffsetsToTxn', 'txnOffsetCommit', 'endTxn']) broker.methods[name] = () => Promise.resolve({})
  added = []
  broker.raw['AddPartitionsToTxn'] = (request, answer) => {
    request.string()
    request.int64()
    request.int16()
    request.array(() => {
      const topic = request.string()
      request.array(() => added.push(`${topic}/${String(request.int32())}`))
    })
    answer.int32(0).int32(0)
  }
  broker.raw['Produce'] = (request, answer) => {
    request.nullableString()
    request.int16()
    request.int32()
    request.array(() => {
      request.string()
      request.array(() => {
        request.int32()
        batches.push(Buffer.from(request.bytes()))
      })
    })
    answer.int32(1).string('results').int32(1).int32(0)
    answer
      .int16(refusals.shift() ?? 0)
      .int64(100)
      .int64(-1)
      .int64(0)
      .int32(0)
      .int16(-1)
      .int32(0)
  }
  producer = await TaskProducer.fence({
    cluster: broker.cluster(clock),
    transactionalId: 'tx-source-0',
    transactionTimeoutMs: 60_000,
    compression: 'none',
  })
  broker.asked.length = 0
})

const batchOf = (value: string): PlacedBatch => {
  const builder = new RecordBatchBuilder()
  builder.add(output('results', value))
  return { topic: 'results', partition: 0, maxBytes: 1_000_000, builder }
}
const failure = (step: Promise<unknown>): Promise<unknown> => clock.runUntil(step.catch((error: unknown) => error))

describe('a commit whose answer is lost', () => {
  it('is not asked for again on the same producer, which sends nothing more', async () => {
    await clock.runUntil(producer.append(batchOf('a'), wanted))
    broker.methods['endTxn'] = answerLost
    broker.asked.length = 0
    const lost = { code: 'commit-failed', retriable: true }
    expect(await failure(producer.end('commit'))).toMatchObject(lost)
    expect(producer.broken).toMatchObject(lost)
    expect(await failure(producer.end('commit'))).toMatchObject(lost)
    expect(await failure(producer.end('abort'))).toMatchObject(lost)
    expect(await failure(producer.append(batchOf('b'), wanted))).toMatchObject(lost)
    expect(broker.asked).toEqual(['endTxn'])
  })
})

describe('a batch', () => {
  it('whose answer is lost is not sent again', async () => {
    broker.raw['Produce'] = answerLost
    expect(await failure(producer.append(batchOf('a'), wanted))).toMatchObject({ code: 'commit-failed' })
    expect(broker.asked).toEqual(['AddPartitionsToTxn', 'Produce'])
  })

  it.each([
    ['leads no more (6)', 6],
    ['has no leader (5)', 5],
    ['does not know the partition yet (3)', 3],
    ['has too few replicas for now (19)', 19],
  ])(
    'that a broker refuses because it %s goes to the next leader, the same bytes, and the transaction goes on',
    async (_, code) => {
      refusals = [code, code]
      expect(await clock.runUntil(producer.append(batchOf('a'), wanted))).toEqual({ end: 101, refused: [] })
      expect(batches).toHaveLength(3)
      expect(batches[1]).toEqual(batches[0])
      expect(batches[2]).toEqual(batches[0])
      expect(producer.broken).toBeNull()
      await clock.runUntil(producer.append(batchOf('a'), wanted))
      // The next one has the next number.
      expect(batches[3]?.equals(batches[0] ?? Buffer.alloc(0))).toBe(false)
      await clock.runUntil(producer.end('commit'))
      expect(broker.asked.filter((name) => name !== 'leaders')).toEqual([
        'AddPartitionsToTxn',
        'Produce',
        'Produce',
        'Produce',
        'Produce',
        'endTxn',
      ])
    },
  )

  it('that no leader takes for 5 s is given up, and with it the producer', async () => {
    refusals = Array.from({ length: 1_000 }, () => 6)
    const began = clock.monotonicMs()
    expect(await failure(producer.append(batchOf('a'), wanted))).toMatchObject({
      code: 'commit-failed',
      retriable: true,
    })
    expect(clock.monotonicMs() - began).toBeLessThan(6_000)
    expect(producer.broken).not.toBeNull()
  })

  it.each([
    ['stored, and perhaps not copied (20)', 20],
    ['out of order (45)', 45],
    ['of a fenced owner (47)', 47],
  ])('that is %s is not sent again', async (_, code) => {
    refusals = [code]
    expect(await failure(producer.append(batchOf('a'), wanted))).toMatchObject({ code: 'commit-failed' })
    expect(batches).toHaveLength(1)
  })

  it('that waits for a leader when the producer is thrown away is not sent', async () => {
    refusals = Array.from({ length: 1_000 }, () => 6)
    const sent = producer.append(batchOf('a'), wanted).catch((error: unknown) => error)
    await clock.advance(200)
    const before = batches.length
    await producer.discard('The task has ended')
    expect(await clock.runUntil(sent)).toMatchObject({ code: 'commit-failed', retriable: true })
    expect(batches).toHaveLength(before)
  })

  it('of a transaction that was given up is not sent, and its turn passes to the next', async () => {
    let unwanted = false
    const first = Promise.withResolvers<void>()
    const stored = broker.raw['Produce']
    broker.raw['Produce'] = async (request, answer) => {
      await first.promise
      await stored?.(request, answer)
    }
    const sends = [
      producer.append(batchOf('under way'), () => unwanted),
      producer.append(batchOf('given up'), () => unwanted),
    ]
    await clock.advance(10)
    unwanted = true
    first.resolve()
    await clock.runUntil(Promise.all(sends))
    await clock.runUntil(producer.append(batchOf('of the next one'), wanted))
    expect(batches.map((batch) => batch.includes('given up'))).toEqual([false, false])
    expect(batches).toHaveLength(2)
  })
})

it('a transaction that is aborted sends nothing of what it still holds, and what is sent later is not in its way', async () => {
  const held = Promise.withResolvers<void>()
  const stored = broker.raw['Produce']
  broker.raw['Produce'] = async (request, answer) => {
    await held.promise
    await stored?.(request, answer)
  }
  const topic = { name: 'results', partitions: 1, maxMessageBytes: 200 }
  const owner: Partial<KafkaTransactionOptions> = {
    partition: 0,
    partitioner: new Partitioner(),
    producer,
    changelogTopic: 'changelog',
    changelog: { committedEnd: 0 } as KafkaTransactionOptions['changelog'],
    outputs: { beganMs: 0 } as KafkaTransactionOptions['outputs'],
    topics: { find: () => topic, loaded: () => Promise.resolve(topic) } as unknown as KafkaTransactionOptions['topics'],
  }
  const transaction = new KafkaTransaction(owner as KafkaTransactionOptions)
  // Each fills a batch of its own, and the first three of them are sent while the epoch runs.
  for (const name of ['a', 'b', 'c', 'd']) transaction.send(output('results', name.repeat(100)), 'exactly-once')
  await clock.advance(10)
  const aborted = transaction.abort()
  held.resolve()
  await clock.runUntil(aborted)
  expect(batches.map((batch) => batch.subarray(-50).toString().slice(0, 1))).toEqual(['a'])
  // The changelog, to which each epoch appends, is named with the first output: there is no request for it alone.
  expect(added).toEqual(['results/0', 'changelog/0'])
  expect(broker.asked).toEqual(['AddPartitionsToTxn', 'Produce', 'endTxn'])
})
