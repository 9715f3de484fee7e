import { afterEach, describe, expect, test } from 'vitest'
import type { TidemarkError } from '../../../../src/core/errors.ts'
import type { StreamRecord } from '../../../../src/core/record.ts'
import { Fetcher } from '../../../../src/connectors/kafka/read/fetcher.ts'
import type { KafkaCluster } from '../../../../src/connectors/kafka/client/kafkaCluster.ts'
import type { RawRequest } from '../../../../src/connectors/kafka/client/kafkajs.ts'
import { kafkaError } from '../../../../src/connectors/kafka/protocol/errorCodes.ts'
import type { TopicMetadata } from '../../../../src/connectors/kafka/protocol/metadata.ts'
import { RecordBatchBuilder } from '../../../../src/connectors/kafka/protocol/recordBatchBuilder.ts'
import { RequestWriter } from '../../../../src/connectors/kafka/protocol/requestWriter.ts'
import { UnreadRecord } from '../../../../src/core/unreadRecord.ts'
import { ManualClock } from '../../../../src/testing/world/manualClock.ts'
import { TestLog } from '../kafkaJob.ts'
import { output } from '../kafkaWorld.ts'
import { batchAround } from '../protocol/storedBatches.ts'

const [first, second] = ['AAAAAAAAAAAAAAAAAAAAAQ', 'AAAAAAAAAAAAAAAAAAAAAg']
const waitMs = 100

/** What a broker answers about partition 0 of `orders`, asked by its name or its id. */
interface Answer {
  readonly error?: number
  readonly batch?: Buffer
}

/** A cluster of one broker, which answers what the test says; a fetch takes the broker's waiting time. */
class FakeCluster {
  readonly clock = new ManualClock(0)
  readonly fetches: ('by name' | 'by id')[] = []
  /** How long each of them would have been waited for. */
  readonly patiences: (number | undefined)[] = []
  readonly connection = { requestTimeoutMs: 1_000 }
  answer: Answer = {}
  /** The topic as metadata shows it now; null: there is none. */
  topicId: string | null = first
  knowsIds = true
  #known: string | null = first

  readonly pool = {
    broker: () =>
      Promise.resolve({
        versions: { 1: { minVersion: 4, maxVersion: this.knowsIds ? 17 : 11 } },
        connectionPool: { send: (request: RawRequest) => this.#fetch(request) },
      }),
  }

  knownLeader(): number {
    return 7
  }

  knownTopicId(): string | null {
    return this.knowsIds ? this.#known : null
  }

  refreshLeaders(): Promise<void> {
    return Promise.resolve()
  }

  metadata(): Promise<{ readonly topics: readonly TopicMetadata[] }> {
    if (this.topicId !== null) this.#known = this.topicId
    const error = this.topicId === null ? kafkaError.unknownTopicOrPartition : kafkaError.none
    return Promise.resolve({
      topics: [{ topic: 'orders', id: this.topicId, error, internal: false, partitions: [] }],
    })
  }

  async #fetch({ request, response, requestTimeout }: RawRequest): Promise<unknown> {
    this.patiences.push(requestTimeout)
    await new Promise<void>((resolve) => {
      this.clock.after(waitMs, resolve)
    })
    const byId = request.apiVersion === 13
    this.fetches.push(byId ? 'by id' : 'by name')
    const writer = new RequestWriter(byId)
    const { error = 0, batch = Buffer.alloc(0) } = this.answer
    writer.noTags().int32(0).int16(0).int32(0)
    writer.structures(['orders'], (topic) => {
      if (byId) writer.topicId(first)
      else writer.string(topic)
      writer.structures([0], (partition) => {
        writer.int32(partition).int16(error).int64(9).int64(9).int64(0)
        writer
          .array([], () => undefined)
          .int32(-1)
          .bytes(batch)
      })
    })
    writer.noTags()
    return response.decode(writer.written)
  }
}

async function batchOf(values: readonly string[]): Promise<Buffer> {
  const builder = new RecordBatchBuilder()
  for (const value of values) builder.add(output('orders', value))
  return builder.build(null, 'none')
}

async function storedAt(baseOffset: number, values: readonly string[]): Promise<Buffer> {
  const batch = await batchOf(values)
  batch.writeBigInt64BE(BigInt(baseOffset), 0)
  return batch
}

describe('the fetcher', () => {
  let fetcher: Fetcher | null = null
  const log = new TestLog()

  afterEach(() => {
    fetcher?.close()
    log.lines.length = 0
  })

  const read = (cluster: FakeCluster, topicId: string | null = first, skips: readonly number[] = []) => {
    const reading = {
      records: [] as StreamRecord[],
      failure: null as TidemarkError | null,
      offset: 0,
      wanted: true,
      room: 1024 * 1024,
      held: 0,
    }
    // The fetcher calls only what the fake has.
    fetcher = new Fetcher(cluster as unknown as KafkaCluster, log, { damagedMs: 20_000 })
    fetcher.add({
      topic: 'orders',
      topicId,
      partition: 0,
      get offset() {
        return reading.offset
      },
      get wanted() {
        return reading.wanted
      },
      get room() {
        return reading.room
      },
      held: (bytes) => {
        reading.held = bytes
      },
      skips: (offset) => skips.includes(offset),
      accept: (records, next) => {
        reading.records.push(...records)
        reading.offset = next
      },
      fail: (error) => {
        reading.failure = error
      },
    })
    return reading
  }
  const warnings = (): readonly string[] =>
    log.lines.filter(({ level }) => level === 'warn').map(({ message }) => message)

  test('asks for the topic that is meant by its id', async () => {
    const cluster = new FakeCluster()
    cluster.answer = { batch: await batchOf(['a', 'b']) }
    const { records } = read(cluster)
    await cluster.clock.advance(1.5 * waitMs)
    expect(records.map(({ topic, offset }) => [topic, offset])).toEqual([
      ['orders', 0],
      ['orders', 1],
    ])
    expect(cluster.fetches).toEqual(['by id'])
    expect(warnings()).toEqual([])
  })

  test('waits for an answer for kafka.request.timeout.ms, beyond the time that the broker may hold it', async () => {
    const cluster = new FakeCluster()
    read(cluster)
    await cluster.clock.advance(waitMs)
    expect(cluster.patiences[0]).toBe(250 + cluster.connection.requestTimeoutMs)
  })

  test('asks a broker that knows no ids by name, and says once what cannot be noticed then', async () => {
    const cluster = new FakeCluster()
    cluster.knowsIds = false
    read(cluster, null)
    await cluster.clock.advance(5 * waitMs)
    expect(new Set(cluster.fetches)).toEqual(new Set(['by name']))
    expect(warnings()).toEqual([expect.stringContaining('knows topics by their names only')])
  })

  test.each([kafkaError.unknownTopicId, kafkaError.inconsistentTopicId])(
    'stops by name when the topic was made anew: the broker answers %i',
    async (error) => {
      const cluster = new FakeCluster()
      const read1 = read(cluster)
      await cluster.clock.advance(waitMs)
      cluster.answer = { error }
      cluster.topicId = second
      await cluster.clock.advance(3_000)
      expect(read1.failure).toMatchObject({ code: 'topic-recreated', kind: 'guard', details: { topic: 'orders' } })
      expect(read1.failure?.message).toContain('--accept-topic orders')
    },
  )

  test('stops by name where only the metadata shows the other topic, and reads nothing of it by name', async () => {
    const cluster = new FakeCluster()
    cluster.pool.broker = () =>
      Promise.resolve({
        versions: { 1: { minVersion: 4, maxVersion: 11 } },
        connectionPool: { send: () => Promise.reject(new Error('nothing is to be fetched')) },
      })
    cluster.topicId = second
    await cluster.metadata()
    const { failure } = await readUntilFailed(cluster)
    expect(failure).toMatchObject({ code: 'topic-recreated' })
    expect(warnings()).toEqual([])
  })

  const readUntilFailed = async (cluster: FakeCluster) => {
    const reading = read(cluster)
    await cluster.clock.advance(3_000)
    return reading
  }

  test('takes metadata that is behind for a moment for what it is', async () => {
    const cluster = new FakeCluster()
    const reading = read(cluster)
    cluster.topicId = second
    await cluster.metadata()
    await cluster.clock.advance(300)
    cluster.topicId = first
    await cluster.clock.advance(3_000)
    expect(reading.failure).toBeNull()
    expect(cluster.fetches.length).toBeGreaterThan(5)
  })

  test.each([
    ['a batch that the broker finds damaged', { error: kafkaError.corruptMessage }, 'CORRUPT_MESSAGE'],
    ['an error that the broker has no name for', { error: kafkaError.unknownServerError }, 'UNKNOWN_SERVER_ERROR'],
  ])('asks again for %s, with one line, and then stops by name', async (_what, answer, reason) => {
    const cluster = new FakeCluster()
    cluster.answer = answer
    const reading = read(cluster)
    await cluster.clock.advance(19_000)
    expect(reading.failure).toBeNull()
    expect(cluster.fetches.length).toBeGreaterThan(10)
    expect(log.lines).toEqual([
      expect.objectContaining({
        level: 'warn',
        fields: { topic: 'orders', partition: 0, offset: 0, broker: 7, reason: expect.stringContaining(reason) },
      }),
    ])
    await cluster.clock.advance(2_000)
    expect(reading.failure).toMatchObject({
      code: 'damaged-batch',
      details: { topic: 'orders', partition: 0, offset: 0, broker: 7 },
    })
    expect(reading.failure?.message).toMatch(/Broker 7 .*orders 0@0, asked \d+ times/)
  })

  test('checks the checksum of each batch, and reads one that arrives whole the next time', async () => {
    const cluster = new FakeCluster()
    const whole = await batchOf(['a'])
    const damaged = Buffer.from(whole)
    damaged[damaged.length - 2] = (damaged[damaged.length - 2] ?? 0) ^ 1
    cluster.answer = { batch: damaged }
    const reading = read(cluster)
    await cluster.clock.advance(1_000)
    expect(reading.records).toEqual([])
    expect(warnings()).toHaveLength(1)
    cluster.answer = { batch: whole }
    await cluster.clock.advance(1_000)
    expect(reading.records.map(({ raw }) => raw?.toString())).toEqual(['a'])
    expect(reading.failure).toBeNull()
    expect(log.lines.at(-1)).toMatchObject({ level: 'info', message: 'The partition can be read again' })
  })

  test('keeps packed what is not wanted now, and hands it over later without another fetch', async () => {
    const cluster = new FakeCluster()
    const batches = [await storedAt(0, ['a', 'b']), await storedAt(2, ['c'])]
    cluster.answer = { batch: Buffer.concat(batches) }
    const reading = read(cluster)
    reading.room = 1
    const wantedUntil = (count: number): void => {
      Object.defineProperty(reading, 'wanted', { get: () => reading.records.length < count, configurable: true })
    }
    wantedUntil(1)
    await cluster.clock.advance(1_000)
    expect(reading.records.map(({ offset }) => offset)).toEqual([0])
    expect(reading.offset).toBe(1)
    expect(reading.held).toBeGreaterThan(0)
    wantedUntil(2)
    fetcher?.wake()
    await cluster.clock.advance(1)
    expect(reading.records.map(({ offset }) => offset)).toEqual([0, 1])
    wantedUntil(3)
    fetcher?.wake()
    await cluster.clock.advance(1)
    expect(reading.records.map(({ offset }) => offset)).toEqual([0, 1, 2])
    expect([reading.held, reading.offset]).toEqual([0, 3])
    expect(cluster.fetches).toHaveLength(1)
  })

  test('lets go of what it keeps for a target that is taken back', async () => {
    const cluster = new FakeCluster()
    cluster.answer = { batch: await batchOf(['a', 'b']) }
    const reading = read(cluster)
    reading.room = 1
    Object.defineProperty(reading, 'wanted', { get: () => reading.records.length < 1 })
    await cluster.clock.advance(1_000)
    fetcher?.close()
    fetcher?.wake()
    await cluster.clock.advance(1_000)
    expect(reading.records).toHaveLength(1)
  })

  const unreadableBatch = async (): Promise<Buffer> =>
    Buffer.concat([
      await storedAt(0, ['a']),
      await batchAround(Buffer.alloc(9, 0xff), { count: 3, baseOffset: 1 }),
      await storedAt(4, ['b']),
    ])

  test('stops by the position of a batch that cannot be read, when what stands before it is handed over', async () => {
    const cluster = new FakeCluster()
    cluster.answer = { batch: await unreadableBatch() }
    const reading = read(cluster)
    await cluster.clock.advance(1_000)
    expect(reading.records.map(({ offset }) => offset)).toEqual([0])
    expect(reading.failure).toMatchObject({ code: 'unreadable-input', details: { partition: 0, offset: 1, next: 4 } })
    expect(reading.failure?.message).toContain('--skip orders:0@1')
  })

  test('passes exactly the batch that somebody has asked to pass', async () => {
    const cluster = new FakeCluster()
    cluster.answer = { batch: await unreadableBatch() }
    const other = read(cluster, first, [0, 2, 3])
    await cluster.clock.advance(1_000)
    expect(other.failure).toMatchObject({ code: 'unreadable-input' })
    fetcher?.close()
    const reading = read(cluster, first, [1])
    await cluster.clock.advance(1_000)
    expect(reading.failure).toBeNull()
    expect(reading.records.map(({ offset }) => offset)).toEqual([0, 1, 4])
    expect(reading.records[1]).toBeInstanceOf(UnreadRecord)
    expect(reading.records[1]).toMatchObject({ next: 4, skipped: true, error: { code: 'unreadable-input' } })
  })

  test('asks for a damaged batch that is to be passed for some seconds, and then passes it as a whole', async () => {
    const cluster = new FakeCluster()
    const damaged = await storedAt(0, ['a', 'b', 'c'])
    damaged[damaged.length - 2] = (damaged[damaged.length - 2] ?? 0) ^ 1
    const behind = await storedAt(3, ['d'])
    cluster.answer = { batch: Buffer.concat([damaged, behind]) }
    const reading = read(cluster, first, [0])
    await cluster.clock.advance(4_000)
    expect(reading.records).toEqual([])
    await cluster.clock.advance(3_000)
    expect(reading.records.map(({ offset }) => offset)).toEqual([0])
    // What is behind it is asked for again: from there on the broker has no such batch to give.
    cluster.answer = { batch: behind }
    await cluster.clock.advance(500)
    expect(reading.records.map(({ offset }) => offset)).toEqual([0, 3])
    expect(reading.records[0]).toMatchObject({ next: 3, skipped: true, error: { code: 'damaged-batch' } })
    expect(reading.failure).toBeNull()
  })

  test('passes one position where the broker gives nothing to read at all', async () => {
    const cluster = new FakeCluster()
    cluster.answer = { error: kafkaError.corruptMessage }
    const reading = read(cluster, first, [0])
    await cluster.clock.advance(7_000)
    expect(reading.records).toMatchObject([{ offset: 0, next: 1, skipped: true }])
    expect(reading.offset).toBe(1)
  })

  test('says that a batch is damaged whose length is, and asks again', async () => {
    const cluster = new FakeCluster()
    const damaged = await batchOf(['a'])
    damaged.writeInt32BE(1_000_000, 8)
    cluster.answer = { batch: damaged }
    const reading = read(cluster)
    await cluster.clock.advance(1_000)
    expect(warnings()).toHaveLength(1)
    expect(reading.failure).toBeNull()
  })
})
