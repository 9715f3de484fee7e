import type { KafkajsBroker } from '../kafkajs.ts'
import type { AbortedTransaction } from './abortedTransactions.ts'
import { sendRaw } from './rawRequest.ts'

export interface FetchRequest {
  /** How long the broker waits for a first byte. */
  readonly maxWaitMs: number
  /** Of the whole answer; the first batch is sent whatever its size. */
  readonly maxBytes: number
  readonly maxPartitionBytes: number
  /** In the order in which the answer is filled. */
  readonly partitions: readonly { readonly topic: string; readonly partition: number; readonly offset: number }[]
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

const api = { key: 1, version: 11, name: 'Fetch' }
const readCommitted = 1
const noSession = -1

/** Fetches committed stretches, from leaders only. */
export function requestFetch(broker: KafkajsBroker, fetch: FetchRequest): Promise<readonly FetchedPartition[]> {
  return sendRaw(
    broker,
    api,
    (writer) => {
      writer
        .int32(-1)
        .int32(fetch.maxWaitMs)
        .int32(1)
        .int32(fetch.maxBytes)
        .int8(readCommitted)
        .int32(0)
        .int32(noSession)
      writer.array(fetch.partitions, ({ topic, partition, offset }) => {
        writer.string(topic).int32(1).int32(partition)
        writer.int32(-1).int64(offset).int64(-1).int32(fetch.maxPartitionBytes)
      })
      writer.int32(0).string('')
    },
    (reader) => {
      reader.int32()
      const error = reader.int16()
      reader.int32()
      return reader
        .array(() => {
          const topic = reader.string()
          return reader.array(() => {
            const partition = reader.int32()
            const partitionError = reader.int16()
            reader.int64()
            const lastStableOffset = reader.int64()
            reader.int64()
            const aborted = reader.array(() => ({ producerId: reader.bigInt64(), firstOffset: reader.int64() }))
            reader.int32()
            return {
              topic,
              partition,
              error: error === 0 ? partitionError : error,
              lastStableOffset,
              aborted,
              bytes: reader.bytes(),
            }
          })
        })
        .flat()
    },
    { timeoutMs: fetch.maxWaitMs + 30_000 },
  )
}
