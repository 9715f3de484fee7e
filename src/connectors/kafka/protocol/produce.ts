import type { KafkajsBroker } from '../kafkajs.ts'
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

const api = { key: 0, version: 7, name: 'Produce' }
const allReplicas = -1

/** The answer to one batch: the broker's error code, and the offset of the first record. */
export interface Produced {
  readonly error: number
  readonly baseOffset: number
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
            return { error, baseOffset }
          })
        })
        .flat()
      const [answer] = answers
      if (answer === undefined) throw reader.corrupt('it names no partition')
      return answer
    },
  )
}
