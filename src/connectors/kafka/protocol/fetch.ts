import type { KafkajsBroker } from '../client/kafkajs.ts'
import type { AbortedTransaction } from './abortedTransactions.ts'
import { sendRaw, speaks } from './rawRequest.ts'
import type { RequestWriter } from './requestWriter.ts'
import type { ResponseReader } from './responseReader.ts'

/** What is asked for of one partition. */
export interface AskedPartition {
  readonly topic: string
  /** The topic that is meant, whatever has its name by now; null where no broker has told its id. */
  readonly topicId: string | null
  readonly partition: number
  readonly offset: number
}

export interface FetchRequest {
  /** How long the broker waits for a first byte. */
  readonly maxWaitMs: number
  /** How long the answer may take beyond that; then the broker does not answer. */
  readonly timeoutMs: number
  /** Of the whole answer; the first batch is sent whatever its size. */
  readonly maxBytes: number
  readonly maxPartitionBytes: number
  /** In the order in which the answer is filled. */
  readonly partitions: readonly AskedPartition[]
}

/** What a broker has of one partition. */
export interface FetchedPartition {
  readonly topic: string
  readonly partition: number
  readonly error: number
  readonly lastStableOffset: number
  readonly aborted: readonly AbortedTransaction[]
  /** A slice of the whole answer. */
  readonly bytes: Buffer
}

const byName = { key: 1, version: 11, name: 'Fetch' }
/** Brokers before 3.1 do not know it. */
const byId = { key: 1, version: 13, name: 'Fetch', flexible: true }
const readCommitted = 1
const noSession = -1
const noEpoch = -1

/** Whether a fetch from this broker can say which topic is meant, and not only its name. */
export function fetchesById(broker: KafkajsBroker): boolean {
  return speaks(broker, byId)
}

/** Fetches committed stretches, from leaders only; by the topics' ids where all of them and the broker have them. */
export function requestFetch(broker: KafkajsBroker, fetch: FetchRequest): Promise<readonly FetchedPartition[]> {
  const options = { timeoutMs: fetch.maxWaitMs + fetch.timeoutMs }
  if (fetchesById(broker) && fetch.partitions.every(({ topicId }) => topicId !== null)) {
    const names = new Map(fetch.partitions.map(({ topic, topicId }) => [topicId, topic]))
    return sendRaw(
      broker,
      byId,
      (writer) => {
        writeById(writer, fetch)
      },
      (reader) => readById(reader, names),
      options,
    )
  }
  return sendRaw(
    broker,
    byName,
    (writer) => {
      writeByName(writer, fetch)
    },
    readByName,
    options,
  )
}

function writeHead(writer: RequestWriter, { maxWaitMs, maxBytes }: FetchRequest): void {
  writer.int32(-1).int32(maxWaitMs).int32(1).int32(maxBytes)
  writer.int8(readCommitted).int32(0).int32(noSession)
}

function writeById(writer: RequestWriter, fetch: FetchRequest): void {
  writeHead(writer, fetch)
  writer.compactArray(fetch.partitions, ({ topicId, partition, offset }) => {
    writer.topicId(topicId).varint(2).int32(partition)
    writer.int32(noEpoch).int64(offset).int32(noEpoch).int64(-1).int32(fetch.maxPartitionBytes).noTags()
    writer.noTags()
  })
  writer.compactArray([], () => undefined)
  writer.compactString('').noTags()
}

function readById(reader: ResponseReader, names: ReadonlyMap<string | null, string>): readonly FetchedPartition[] {
  reader.int32()
  const error = reader.int16()
  reader.int32()
  return reader
    .compactArray(() => {
      const topic = names.get(reader.topicId()) ?? ''
      const partitions = reader.compactArray((): FetchedPartition => {
        const partition = reader.int32()
        const partitionError = reader.int16()
        reader.int64()
        const lastStableOffset = reader.int64()
        reader.int64()
        const aborted = reader.compactArray(() => {
          const transaction = { producerId: reader.bigInt64(), firstOffset: reader.int64() }
          reader.skipTags()
          return transaction
        })
        reader.int32()
        const bytes = reader.compactBytes()
        reader.skipTags()
        return { topic, partition, error: error === 0 ? partitionError : error, lastStableOffset, aborted, bytes }
      })
      reader.skipTags()
      return partitions
    })
    .flat()
}

function writeByName(writer: RequestWriter, fetch: FetchRequest): void {
  writeHead(writer, fetch)
  writer.array(fetch.partitions, ({ topic, partition, offset }) => {
    writer.string(topic).int32(1).int32(partition)
    writer.int32(noEpoch).int64(offset).int64(-1).int32(fetch.maxPartitionBytes)
  })
  writer.int32(0).string('')
}

function readByName(reader: ResponseReader): readonly FetchedPartition[] {
  reader.int32()
  const error = reader.int16()
  reader.int32()
  return reader
    .array(() => {
      const topic = reader.string()
      return reader.array((): FetchedPartition => {
        const partition = reader.int32()
        const partitionError = reader.int16()
        reader.int64()
        const lastStableOffset = reader.int64()
        reader.int64()
        const aborted = reader.array(() => ({ producerId: reader.bigInt64(), firstOffset: reader.int64() }))
        reader.int32()
        const bytes = reader.bytes()
        return { topic, partition, error: error === 0 ? partitionError : error, lastStableOffset, aborted, bytes }
      })
    })
    .flat()
}
