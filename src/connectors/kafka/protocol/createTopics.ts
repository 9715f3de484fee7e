import type { KafkajsBroker } from '../client/kafkajs.ts'
import { sendRaw } from './rawRequest.ts'

export interface NewTopic {
  readonly name: string
  /** -1: the broker's own number. */
  readonly partitions: number
  readonly config: Readonly<Record<string, string>>
}

/** The broker's answer for one topic. */
export interface CreatedTopic {
  readonly error: number
  readonly message: string | null
}

// From version 4 on the broker chooses the replication; kafkajs ends at 3.
const api = { key: 19, version: 4, name: 'CreateTopics' }
const brokersReplication = -1
const timeoutMs = 10_000

/** Makes one topic with the broker's default replication; asked of the controller. */
export function requestCreateTopics(controller: KafkajsBroker, topic: NewTopic): Promise<CreatedTopic> {
  return sendRaw(
    controller,
    api,
    (writer) => {
      writer.int32(1).string(topic.name).int32(topic.partitions).int16(brokersReplication).int32(0)
      writer.array(Object.entries(topic.config), ([name, value]) => writer.string(name).string(value))
      writer.int32(timeoutMs).int8(0)
    },
    (reader) => {
      reader.int32()
      const [answer] = reader.array(() => {
        reader.string()
        return { error: reader.int16(), message: reader.nullableString() }
      })
      if (answer === undefined) throw reader.corrupt('it names no topic')
      return answer
    },
  )
}
