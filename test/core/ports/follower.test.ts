import { expect, test } from 'vitest'
import { judgeEpoch, type FollowedEpoch, type FollowerRecord } from '../../../src/core/ports/follower.ts'

const sink = { job: 'job', group: 'source', partition: 0, sink: 'rows' }
const epoch: FollowedEpoch = {
  epoch: 9,
  nonce: 'ours-9',
  lineage: 'ours',
  baseMicros: 1,
  rows: [Buffer.from('row')],
  previous: 5,
  tickedOff: 5,
}
const record = (at: number, nonce: string, lineage = 'ours'): FollowerRecord => ({
  epoch: at,
  nonce,
  lineage,
  nextBaseMicros: 1,
})

test.each([
  ['a target at the epoch before', record(5, 'ours-5'), 'write'],
  ['a target that has it', record(9, 'ours-9'), 'done'],
  ['a target that is further', record(12, 'ours-12'), 'done'],
  ['a target with another attempt at it', record(9, 'other'), 'follower-fenced'],
  ['a target of another lineage that is further', record(12, 'other', 'theirs'), 'follower-fenced'],
  ['a target at an epoch in between, which this owner has none of', record(7, 'other', 'theirs'), 'follower-fenced'],
  ['a target that is behind', record(3, 'ours-3'), 'target-went-back'],
  ['a target that has nothing', null, 'target-went-back'],
])('%s', (_, found, verdict) => {
  const judged = (): string => {
    try {
      return judgeEpoch(found, sink, epoch)
    } catch (error) {
      return (error as { code: string }).code
    }
  }
  expect(judged()).toBe(verdict)
})
