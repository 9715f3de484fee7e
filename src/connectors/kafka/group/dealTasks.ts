import { tasksOf } from '../../../core/topicSelection.ts'
import { assignTasks } from './assigner.ts'
import { decodeSubscription, encodeAssignment, inputsMark, type AssignmentData } from './groupProtocol.ts'
import type { GroupMemberMetadata } from '../client/kafkajs.ts'

/** The leader's part of a rebalance: every member's assignment. A member of another job gets no task and is told whose the group is. */
export function dealTasks(
  members: readonly GroupMemberMetadata[],
  partitionCounts: ReadonlyMap<string, number>,
  { job, group }: { readonly job: string; readonly group: string },
): readonly { readonly memberId: string; readonly memberAssignment: Buffer }[] {
  const own = members.flatMap(({ memberId, memberMetadata }) => {
    const data = decodeSubscription(memberMetadata)
    return data?.job === job && data.group === group ? [{ memberId, data }] : []
  })
  const dealt = assignTasks(
    own.map(({ memberId, data }) => ({
      memberId,
      running: { generation: data.generation, tasks: data.running },
      stores: new Map(data.stores),
    })),
    tasksOf(partitionCounts),
  )
  const addresses = own.flatMap(({ data }) => (data.address === null ? [] : [data.address]))
  const mark = inputsMark(partitionCounts)
  return members.map(({ memberId }) => {
    const data: AssignmentData = { v: 1, tasks: dealt.get(memberId) ?? [], addresses, job, group, dealt: mark }
    return { memberId, memberAssignment: encodeAssignment(partitionCounts, data) }
  })
}
