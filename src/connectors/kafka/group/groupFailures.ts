import { TidemarkError } from '../../../core/errors.ts'
import type { AssignmentData } from './groupProtocol.ts'
import { asKafkaError, brokerCode, systemUnreachable } from '../client/kafkaErrors.ts'
import { kafkaError, notAuthorized } from '../protocol/errorCodes.ts'

/** The session is over or the generation is another: the member joins anew. */
export const rejoinCodes: ReadonlySet<number> = new Set([
  kafkaError.rebalanceInProgress,
  kafkaError.illegalGeneration,
  kafkaError.unknownMember,
])

/** Another kind of member is in the group, or the broker refuses its settings: asking again does not help. */
const advices: ReadonlyMap<number, string> = new Map([
  [
    kafkaError.inconsistentGroupProtocol,
    'it has members that are no Tidemark jobs: choose another groupId, or stop them',
  ],
  [
    kafkaError.invalidSessionTimeout,
    'kafka.session.timeout.ms is outside of what the brokers allow (group.min.session.timeout.ms to group.max.session.timeout.ms)',
  ],
  [kafkaError.groupMaxSizeReached, 'it has as many members as the brokers allow (group.max.size): run fewer processes'],
])

/** Why a group cannot be joined, ever; null when it is worth another try. */
export function fatalGroupFailure(groupId: string, error: unknown): TidemarkError | null {
  if (error instanceof TidemarkError && error.kind !== 'unreachable') return error
  const code = brokerCode(error)
  if (code === null) return null
  const advice = advices.get(code)
  if (advice !== undefined) {
    return new TidemarkError('invalid-plan', `Consumer group ${groupId} cannot be joined: ${advice}`, { cause: error })
  }
  return notAuthorized.has(code) ? asKafkaError(error, `Consumer group ${groupId} cannot be joined`) : null
}

/** Another process has joined under this one's instance id. `rival`: its host and process id; null when it is not known. */
export function instanceTaken(
  groupId: string,
  instanceId: string,
  rival: string | null,
  cause: unknown,
): TidemarkError {
  const who = rival === null ? '' : ` (${rival})`
  return new TidemarkError(
    'instance-taken',
    `Another process${who} has joined consumer group ${groupId} as ${instanceId}, and with that taken this one's place: no two live processes may have one group.instance.id. Give each its own kafka.group.instance.id, or leave it out, so that each makes one for itself`,
    { cause, details: { groupId, instanceId } },
  )
}

export function notOurs(task: number): TidemarkError {
  return systemUnreachable(`Partition ${String(task)} is not this process's any more`, { partition: task })
}

export function unconfirmed(task: number): TidemarkError {
  return systemUnreachable(
    `Partition ${String(task)} cannot be confirmed: the consumer group is rebalancing, or does not answer`,
    { partition: task },
  )
}

export function foreignGroup(groupId: string, { job, group }: AssignmentData): TidemarkError {
  return new TidemarkError(
    'invalid-plan',
    `Consumer group ${groupId} is in use by job '${job}' (${group}), and two jobs cannot share one: choose another groupId`,
    { details: { groupId, job } },
  )
}
