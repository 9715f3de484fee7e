import type { KafkajsBroker } from '../client/kafkajs.ts'
import { BrokerRefusal } from '../client/kafkaErrors.ts'
import { kafkaError } from './errorCodes.ts'
import { sendRaw, speaks } from './rawRequest.ts'

export interface FetchedOffset {
  readonly topic: string
  readonly partition: number
  /** Negative where nothing is committed. */
  readonly offset: number
  readonly metadata: string
}

export interface OffsetFetchRequest {
  readonly groupId: string
  /** Null: everything that the group has committed. */
  readonly places: readonly { readonly topic: string; readonly partition: number }[] | null
  /**
   * Offsets of a transaction that is being decided are not answered with what was before it, but refused with
   * UNSTABLE_OFFSET_COMMIT. Brokers before 2.5 cannot.
   */
  readonly stable: boolean
}

const api = { key: 9, version: 7, name: 'OffsetFetch', flexible: true }
const apiBefore2_5 = { key: 9, version: 5, name: 'OffsetFetch' }

/** The committed offsets of a group. */
export async function requestOffsets(
  coordinator: KafkajsBroker,
  { groupId, places, stable }: OffsetFetchRequest,
): Promise<readonly FetchedOffset[]> {
  const isCurrent = speaks(coordinator, api)
  const topics = places === null ? null : [...Map.groupBy(places, ({ topic }) => topic)]
  const { error, offsets } = await sendRaw(
    coordinator,
    isCurrent ? api : apiBefore2_5,
    (writer) => {
      writer.string(groupId)
      writer.structures(topics, ([topic, of]) => {
        writer.string(topic).array(of, ({ partition }) => writer.int32(partition))
      })
      if (isCurrent) writer.int8(stable ? 1 : 0)
      writer.noTags()
    },
    (reader) => {
      reader.int32()
      const found = reader.structures(() => {
        const topic = reader.string()
        return reader.structures(() => {
          const partition = reader.int32()
          const offset = reader.int64()
          reader.int32()
          return { topic, partition, offset, metadata: reader.string(), error: reader.int16() }
        })
      })
      return { error: reader.int16(), offsets: found.flat() }
    },
  )
  const refused = [error, ...offsets.map((offset) => offset.error)].find((code) => code !== kafkaError.none)
  if (refused !== undefined) throw new BrokerRefusal(refused, `Reading the committed offsets of group ${groupId}`)
  return offsets.map(({ topic, partition, offset, metadata }) => ({ topic, partition, offset, metadata }))
}
