import type { KafkajsBroker } from '../client/kafkajs.ts'
import { sendRaw, speaks } from './rawRequest.ts'
import type { ResponseReader } from './responseReader.ts'

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
  const hasIds = speaks(broker, apiWithIds)
  return sendRaw(
    broker,
    hasIds ? apiWithIds : api,
    (writer) => {
      writer.structures(topics, (topic) => {
        if (hasIds) writer.topicId(null)
        writer.string(topic)
      })
      writer.int8(0) // none is made by asking
      if (hasIds) writer.int8(0)
      writer.noTags()
    },
    (reader) => readMetadata(reader, hasIds),
  )
}

function readMetadata(reader: ResponseReader, hasIds: boolean): ClusterMetadata {
  reader.int32()
  const brokers = reader.structures(() => {
    const address = { nodeId: reader.int32(), host: reader.string(), port: reader.int32() }
    reader.nullableString()
    return address
  })
  const clusterId = reader.nullableString()
  const controllerId = reader.int32()
  const topics = reader.structures((): TopicMetadata => {
    const error = reader.int16()
    const topic = reader.string()
    const id = hasIds ? reader.topicId() : null
    const internal = reader.boolean()
    const partitions = reader.structures((): PartitionMetadata => {
      reader.int16()
      const partition = reader.int32()
      const leader = reader.int32()
      // Its leader's epoch.
      if (hasIds) reader.int32()
      const replicas = reader.array(() => reader.int32())
      const inSync = reader.array(() => reader.int32())
      reader.array(() => reader.int32())
      return { partition, leader: leader < 0 ? null : leader, replicas, inSync }
    })
    // What this user may do with it.
    if (hasIds) reader.int32()
    return { error, topic, id, internal, partitions }
  })
  return { brokers, clusterId, controllerId, topics }
}
