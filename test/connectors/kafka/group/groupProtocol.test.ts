import { createRequire } from 'node:module'
import { expect, test } from 'vitest'
import { dealTasks } from '../../../../src/connectors/kafka/group/dealTasks.ts'
import {
  decodeAssignment,
  decodeSubscription,
  encodeAssignment,
  encodeSubscription,
  type MemberData,
} from '../../../../src/connectors/kafka/group/groupProtocol.ts'

const data: MemberData = {
  v: 1,
  job: 'reconcile',
  group: 'source',
  address: '127.0.0.1:7000',
  generation: 4,
  running: [0, 2],
  stores: [[2, 117]],
}
const assignment = { v: 1 as const, tasks: [0, 2], addresses: ['127.0.0.1:7000'], job: 'reconcile', group: 'source' }

test('a subscription tells the leader what the member runs, holds and where it answers', () => {
  expect(decodeSubscription(encodeSubscription(['orders'], data))).toEqual(data)
})

test('an assignment gives a task its partition of every topic that has it, as any tool of Kafka reads it', () => {
  const counts = new Map([
    ['orders', 3],
    ['payments', 1],
  ])
  const encoded = encodeAssignment(counts, assignment)
  const topics = new Map([
    [0, ['orders', 'payments']],
    [2, ['orders']],
  ])
  expect(decodeAssignment(encoded)).toEqual({ ...assignment, topics })
  const require = createRequire(import.meta.url)
  const { MemberAssignment } = require('kafkajs/src/consumer/assignerProtocol') as {
    MemberAssignment: { decode(bytes: Buffer): { assignment: object } }
  }
  expect(MemberAssignment.decode(encoded).assignment).toEqual({ orders: [0, 2], payments: [0] })
})

test.each([
  ['nothing', Buffer.alloc(0)],
  ['other bytes', Buffer.from('not a subscription')],
  [
    'the subscription of another client',
    Buffer.concat([encodeSubscription(['orders'], data).subarray(0, 14), Buffer.from([0, 0, 0, 0])]),
  ],
])('%s is nobody of ours', (_, bytes) => {
  expect(decodeSubscription(bytes)).toBeNull()
  expect(decodeAssignment(bytes)).toBeNull()
})

test('a member of another job gets no task and is told whose the group is', () => {
  const members = [
    { memberId: 'a', memberMetadata: encodeSubscription(['orders'], data) },
    { memberId: 'b', memberMetadata: encodeSubscription(['orders'], { ...data, job: 'other' }) },
  ]
  const dealt = dealTasks(members, new Map([['orders', 3]]), { job: 'reconcile', group: 'source' })
  expect(dealt.map(({ memberId, memberAssignment }) => [memberId, decodeAssignment(memberAssignment)])).toMatchObject([
    ['a', { ...assignment, tasks: [0, 1, 2] }],
    ['b', { ...assignment, tasks: [] }],
  ])
})
