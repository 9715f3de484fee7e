import type { KafkajsBroker } from '../client/kafkajs.ts'
import { sendRaw, speaks } from './rawRequest.ts'

export interface BrokerAddress {
  readonly nodeId: number
  readonly host: string
  readonly port: number
}

export interface PartitionMetadata {
  readonly partition: number
  /** Null while there is none. */
  readonly leader: number | null
  readonly replicas: readonly number[]
  readonly inSync: readonly number[]
}

export interface TopicMetadata {
  readonly topic: string
  /** As Kafka prints it; null where the broker has none. Another one under the same name is another topic. */
  readonly id: string | null
  /** The broker's error code for this topic; 0: none. */
  readonly error: number
  readonly internal: boolean
  readonly partitions: readonly PartitionMetadata[]
}

export interface ClusterMetadata {
  readonly brokers: readonly BrokerAddress[]
  readonly clusterId: string | null
  readonly controllerId: number
  readonly topics: readonly TopicMetadata[]
}

const api = { key: 3, version: 5, name: 'Metadata' }
/** It tells the topics' ids; brokers before 3.1 do not know it. */
const apiWithIds = { key: 3, version: 12, name: 'Metadata', flexible: true }

/** Brokers and topics as a broker knows them; null: all topics. kafkajs' own throws when any one topic has an error. */
export function requestMetadata(broker: KafkajsBroker, topics: readonly string[] | null): Promise<ClusterMetadata> {
  return speaks(broker, apiWithIds) ? requestWithIds(broker, topics) : requestWithoutIds(broker, topics)
}

function requestWithIds(broker: KafkajsBroker, topics: readonly string[] | null): Promise<ClusterMetadata> {
  return sendRaw(
    broker,
    apiWithIds,
    (writer) => {
      writer.compactArray(topics, (topic) => writer.topicId(null).compactString(topic).noTags())
      writer.int8(0) // none is made by asking
      writer.int8(0).noTags()
    },
    (reader) => {
      reader.int32()
      const brokers = reader.compactArray(() => {
        const address = { nodeId: reader.int32(), host: reader.compactString(), port: reader.int32() }
        reader.compactNullableString()
        reader.skipTags()
        return address
      })
      const clusterId = reader.compactNullableString()
      const controllerId = reader.int32()
      const found = reader.compactArray((): TopicMetadata => {
        const error = reader.int16()
        const topic = reader.compactString()
        const id = reader.topicId()
        const internal = reader.boolean()
        const partitions = reader.compactArray((): PartitionMetadata => {
          reader.int16()
          const partition = reader.int32()
          const leader = reader.int32()
          reader.int32()
          const replicas = reader.compactArray(() => reader.int32())
          const inSync = reader.compactArray(() => reader.int32())
          reader.compactArray(() => reader.int32())
          reader.skipTags()
          return { partition, leader: leader < 0 ? null : leader, replicas, inSync }
        })
        reader.int32()
        reader.skipTags()
        return { error, topic, id, internal, partitions }
      })
      return { brokers, clusterId, controllerId, topics: found }
    },
  )
}

function requestWithoutIds(broker: KafkajsBroker, topics: readonly string[] | null): Promise<ClusterMetadata> {
  return sendRaw(
    broker,
    api,
    (writer) => {
      if (topics === null) writer.int32(-1)
      else writer.array(topics, (topic) => writer.string(topic))
      writer.int8(0) // none is made by asking
    },
    (reader) => {
      reader.int32()
      const brokers = reader.array(() => {
        const address = { nodeId: reader.int32(), host: reader.string(), port: reader.int32() }
        reader.nullableString()
        return address
      })
      const clusterId = reader.nullableString()
      const controllerId = reader.int32()
      const found = reader.array(() => ({
        error: reader.int16(),
        topic: reader.string(),
        id: null,
        internal: reader.boolean(),
        partitions: reader.array(() => {
          reader.int16()
          const partition = reader.int32()
          const leader = reader.int32()
          const replicas = reader.array(() => reader.int32())
          const inSync = reader.array(() => reader.int32())
          reader.array(() => reader.int32())
          return { partition, leader: leader < 0 ? null : leader, replicas, inSync }
        }),
      }))
      return { brokers, clusterId, controllerId, topics: found }
    },
  )
}
