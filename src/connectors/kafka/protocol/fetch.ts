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

/** Kafka 4.0 has dropped the older versions, so that this tells it from 3.x without asking for its own. */
export function isKafka4({ versions }: KafkajsBroker): boolean {
  return (versions?.[byName.key]?.minVersion ?? 0) >= 4
}

/** Whether a fetch from this broker can say which topic is meant, and not only its name. */
export function fetchesById(broker: KafkajsBroker): boolean {
  return speaks(broker, byId)
}

/** Fetches committed stretches, from leaders only; by the topics' ids where all of them and the broker have them. */
export function requestFetch(broker: KafkajsBroker, fetch: FetchRequest): Promise<readonly FetchedPartition[]> {
  const isById = fetchesById(broker) && fetch.partitions.every(({ topicId }) => topicId !== null)
  const names = new Map(fetch.partitions.map(({ topic, topicId }) => [isById ? topicId : topic, topic]))
  return sendRaw(
    broker,
    isById ? byId : byName,
    (writer) => {
      writeFetch(writer, fetch, isById)
    },
    (reader) => readFetched(reader, () => names.get(isById ? reader.topicId() : reader.string()) ?? ''),
    { timeoutMs: fetch.maxWaitMs + fetch.timeoutMs },
  )
}

function writeFetch(writer: RequestWriter, fetch: FetchRequest, isById: boolean): void {
  writer.int32(-1).int32(fetch.maxWaitMs).int32(1).int32(fetch.maxBytes)
  writer.int8(readCommitted).int32(0).int32(noSession)
  writer.structures(fetch.partitions, ({ topic, topicId, partition, offset }) => {
    if (isById) writer.topicId(topicId)
    else writer.string(topic)
    writer.structures([partition], () => {
      writer.int32(partition).int32(noEpoch).int64(offset)
      // Of the last record that was fetched.
      if (isById) writer.int32(noEpoch)
      writer.int64(-1).int32(fetch.maxPartitionBytes)
    })
  })
  // No topics are forgotten, and no rack is near.
  writer
    .array([], () => undefined)
    .string('')
    .noTags()
}

function readFetched(reader: ResponseReader, topicOf: () => string): readonly FetchedPartition[] {
  reader.int32()
  const error = reader.int16()
  reader.int32()
  return reader
    .structures(() => {
      const topic = topicOf()
      return reader.structures((): FetchedPartition => {
        const partition = reader.int32()
        const partitionError = reader.int16()
        reader.int64()
        const lastStableOffset = reader.int64()
        reader.int64()
        const aborted = reader.structures(() => ({ producerId: reader.bigInt64(), firstOffset: reader.int64() }))
        reader.int32()
        const bytes = reader.bytes()
        return { topic, partition, error: error === 0 ? partitionError : error, lastStableOffset, aborted, bytes }
      })
    })
    .flat()
}
