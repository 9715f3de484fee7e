import type { KafkajsBroker } from '../client/kafkajs.ts'
import { sendRaw } from './rawRequest.ts'

export interface ProduceRequest {
  readonly topic: string
  readonly partition: number
  /** Null: outside of any transaction. */
  readonly transactionalId: string | null
  readonly batch: Buffer
  /** How long the broker waits for its replicas. */
  readonly timeoutMs: number
}

const api = { key: 0, version: 8, name: 'Produce' }
const allReplicas = -1

/** The answer to one batch. */
export interface Produced {
  /** The broker's error code; 0: none. */
  readonly error: number
  /** Offset of the first record. */
  readonly baseOffset: number
  /** Why, in the broker's words. */
  readonly message: string | null
  /** The records that it is about, by their place in the batch; empty where the broker does not say. */
  readonly recordErrors: readonly { readonly index: number; readonly message: string | null }[]
}

/** Appends one batch to one partition, on all replicas. Never repeated here: only the caller knows whether that is safe. */
export function requestProduce(broker: KafkajsBroker, produce: ProduceRequest): Promise<Produced> {
  return sendRaw(
    broker,
    api,
    (writer) => {
      writer.string(produce.transactionalId).int16(allReplicas).int32(produce.timeoutMs)
      writer.int32(1).string(produce.topic).int32(1).int32(produce.partition).bytes(produce.batch)
    },
    (reader) => {
      const answers = reader
        .array(() => {
          reader.string()
          return reader.array(() => {
            reader.int32()
            const error = reader.int16()
            const baseOffset = reader.int64()
            reader.int64()
            reader.int64()
            const recordErrors = reader.array(() => ({ index: reader.int32(), message: reader.nullableString() }))
            return { error, baseOffset, recordErrors, message: reader.nullableString() }
          })
        })
        .flat()
      const [answer] = answers
      if (answer === undefined) throw reader.corrupt('it names no partition')
      return answer
    },
  )
}
