import { BrokerRefusal } from '../client/kafkaErrors.ts'
import type { KafkajsBroker } from '../client/kafkajs.ts'
import { kafkaError } from './errorCodes.ts'
import { sendRaw } from './rawRequest.ts'

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

const api = { key: 15, version: 4, name: 'DescribeGroups' }

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
    api,
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
