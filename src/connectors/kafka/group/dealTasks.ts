import { tasksOf } from '../../../core/topicSelection.ts'
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

/** What a member of the group tells the leader about itself. */
export interface MemberClaims {
  readonly memberId: string
  /** Tasks that it was running when it last was in the group, and in which generation that was. */
  readonly running: { readonly generation: number; readonly tasks: readonly number[] }
  /** How far its local state of a task is: the changelog offset up to which it reaches. */
  readonly stores: ReadonlyMap<number, number>
}

/**
 * Deals the tasks 0 to `tasks` - 1 out: as equal numbers as there can be, and as few moves as that allows. A task is a
 * partition number of ALL topics of the group, which makes them co-partitioned. It stays with the member that ran it last
 * (in the newest generation: a member that was away claims what is others' now), else it goes to the one whose local state
 * is most advanced, else to whoever has least. Every member would come to the same result.
 */
export function assignTasks(members: readonly MemberClaims[], tasks: number): ReadonlyMap<string, readonly number[]> {
  const shares = members
    .toSorted((a, b) => (a.memberId < b.memberId ? -1 : 1))
    .map((member) => ({ member, tasks: [] as number[] }))
  if (shares.length === 0) return new Map()
  const least = Math.floor(tasks / shares.length)
  /** So many members may have one task more than `least`. */
  let extra = tasks % shares.length
  const fits = (share: (typeof shares)[number]): boolean =>
    share.tasks.length < least || (share.tasks.length === least && extra > 0)
  const give = (share: (typeof shares)[number], task: number): void => {
    if (share.tasks.length === least) extra -= 1
    share.tasks.push(task)
  }

  const homeless: number[] = []
  for (let task = 0; task < tasks; task += 1) {
    const owner = shares
      .filter(({ member }) => member.running.tasks.includes(task))
      .toSorted((a, b) => b.member.running.generation - a.member.running.generation)
      .find(fits)
    if (owner === undefined) homeless.push(task)
    else give(owner, task)
  }
  const unstored: number[] = []
  for (const task of homeless) {
    const keeper = shares
      .filter(({ member }) => member.stores.has(task))
      .toSorted((a, b) => (b.member.stores.get(task) ?? 0) - (a.member.stores.get(task) ?? 0))
      .find(fits)
    if (keeper === undefined) unstored.push(task)
    else give(keeper, task)
  }
  for (const task of unstored) {
    const poorest = shares.toSorted((a, b) => a.tasks.length - b.tasks.length).find(fits)
    if (poorest !== undefined) give(poorest, task)
  }
  return new Map(shares.map(({ member, tasks: dealt }) => [member.memberId, dealt.toSorted((a, b) => a - b)]))
}
