import type { KafkajsBroker } from '../client/kafkajs.ts'
import { BrokerRefusal } from '../client/kafkaErrors.ts'
import { kafkaError } from './errorCodes.ts'
import { sendRaw, speaks } from './rawRequest.ts'

export interface ListedGroup {
  readonly groupId: string
  /** `consumer` for groups of consumers of every kind. */
  readonly protocolType: string
  /** `Classic`, `Consumer`, `Share`, `Streams`. */
  readonly type: string
}

/** The first version that tells a group's type; brokers without it have classic groups only. */
const api = { key: 16, version: 5, name: 'ListGroups', flexible: true }

/**
 * The groups that this broker coordinates and this user may see, those in one of these states (none named: in any). None
 * where it cannot tell their types.
 */
export async function requestGroups(
  broker: KafkajsBroker,
  states: readonly string[] = [],
): Promise<readonly ListedGroup[]> {
  if (!speaks(broker, api)) return []
  const { error, groups } = await sendRaw(
    broker,
    api,
    // No filter by type.
    (writer) =>
      writer
        .compactArray(states, (state) => writer.compactString(state))
        .compactArray([], () => undefined)
        .noTags(),
    (reader) => {
      reader.int32()
      return {
        error: reader.int16(),
        groups: reader.compactArray((): ListedGroup => {
          const groupId = reader.compactString()
          const protocolType = reader.compactString()
          reader.compactString()
          const type = reader.compactString()
          reader.skipTags()
          return { groupId, protocolType, type }
        }),
      }
    },
  )
  if (error !== kafkaError.none) throw new BrokerRefusal(error, 'Listing the groups')
  return groups
}
