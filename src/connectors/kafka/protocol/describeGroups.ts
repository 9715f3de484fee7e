import { BrokerRefusal } from '../client/kafkaErrors.ts'
import type { KafkajsBroker } from '../client/kafkajs.ts'
import { kafkaError } from './errorCodes.ts'
import { sendRaw, speaks } from './rawRequest.ts'

export interface DescribedMember {
  readonly memberId: string
  /** `group.instance.id`; null for a dynamic member. */
  readonly instanceId: string | null
  readonly clientId: string
  readonly clientHost: string
  /** What it said about itself when it joined; empty while the group rebalances. */
  readonly metadata: Buffer
}

export interface DescribedGroup {
  readonly groupId: string
  /** `Stable`, `Empty`, `PreparingRebalance`, `CompletingRebalance`; `Dead` for a group that is not there. */
  readonly state: string
  /** The assigner's name; empty while there is none. */
  readonly protocol: string
  readonly members: readonly DescribedMember[]
}

const describeApi = { key: 15, version: 4, name: 'DescribeGroups' }

/** A consumer group as its coordinator sees it. */
export async function requestGroup(coordinator: KafkajsBroker, groupId: string): Promise<DescribedGroup> {
  const [found] = await requestDescriptions(coordinator, [groupId])
  if (found === undefined) return { groupId, state: 'Dead', protocol: '', members: [] }
  if (found.error !== kafkaError.none) throw new BrokerRefusal(found.error, `Describing group ${groupId}`)
  return found
}

/** Several groups of one coordinator; each has an error of its own, for one that this user may not see as well. */
export function requestDescriptions(
  coordinator: KafkajsBroker,
  groupIds: readonly string[],
): Promise<readonly (DescribedGroup & { readonly error: number })[]> {
  return sendRaw(
    coordinator,
    describeApi,
    // Without the operations that this user may do.
    (writer) => writer.array(groupIds, (id) => writer.string(id)).int8(0),
    (reader) => {
      reader.int32()
      return reader.array(() => {
        const group = {
          error: reader.int16(),
          groupId: reader.string(),
          state: reader.string(),
          protocolType: reader.string(),
          protocol: reader.string(),
          members: reader.array(() => {
            const memberId = reader.string()
            const instanceId = reader.nullableString()
            const member = { memberId, instanceId, clientId: reader.string(), clientHost: reader.string() }
            const metadata = Buffer.from(reader.bytes())
            reader.bytes()
            return { ...member, metadata }
          }),
        }
        reader.int32()
        return group
      })
    },
  )
}

interface ListedGroup {
  readonly groupId: string
  /** `consumer` for groups of consumers of every kind. */
  readonly protocolType: string
  /** `Classic`, `Consumer`, `Share`, `Streams`. */
  readonly type: string
}

/** The first version that tells a group's type; brokers without it have classic groups only. */
const listApi = { key: 16, version: 5, name: 'ListGroups', flexible: true }

/**
 * The groups that this broker coordinates and this user may see, those in one of these states (none named: in any). None
 * where it cannot tell their types.
 */
export async function requestGroups(
  broker: KafkajsBroker,
  states: readonly string[] = [],
): Promise<readonly ListedGroup[]> {
  if (!speaks(broker, listApi)) return []
  const { error, groups } = await sendRaw(
    broker,
    listApi,
    // No filter by type.
    (writer) =>
      writer
        .array(states, (state) => writer.string(state))
        .array([], () => undefined)
        .noTags(),
    (reader) => {
      reader.int32()
      return {
        error: reader.int16(),
        groups: reader.structures((): ListedGroup => {
          const groupId = reader.string()
          const protocolType = reader.string()
          reader.string()
          return { groupId, protocolType, type: reader.string() }
        }),
      }
    },
  )
  if (error !== kafkaError.none) throw new BrokerRefusal(error, 'Listing the groups')
  return groups
}
