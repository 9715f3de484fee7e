import { fc, test as property } from '@fast-check/vitest'
import { describe, expect, test } from 'vitest'
import { assignTasks, type MemberClaims } from '../../../../src/connectors/kafka/group/dealTasks.ts'

function member(
  memberId: string,
  running: readonly number[] = [],
  stores: readonly (readonly [number, number])[] = [],
  generation = 1,
): MemberClaims {
  return { memberId, running: { generation, tasks: running }, stores: new Map(stores) }
}

const asObject = (assignment: ReadonlyMap<string, readonly number[]>) => Object.fromEntries(assignment)

test('tasks are dealt out in equal numbers to members that have none', () => {
  expect(asObject(assignTasks([member('b'), member('a'), member('c')], 7))).toEqual({
    a: [0, 3, 6],
    b: [1, 4],
    c: [2, 5],
  })
})

test('a member that joins takes as few tasks away as it needs', () => {
  expect(asObject(assignTasks([member('a', [0, 1, 2, 3]), member('new')], 4))).toEqual({ a: [0, 1], new: [2, 3] })
  expect(asObject(assignTasks([member('a', [0, 2]), member('b', [1, 3]), member('new')], 4))).toEqual({
    a: [0, 2],
    b: [1],
    new: [3],
  })
})

test('the tasks of a member that has gone are spread, and nobody else moves', () => {
  expect(asObject(assignTasks([member('a', [0, 1]), member('c', [4, 5])], 6))).toEqual({ a: [0, 1, 2], c: [3, 4, 5] })
})

test('of two claims the one of the newer generation counts', () => {
  const away = member('away', [0, 1], [], 3)
  const owner = member('owner', [0, 1], [], 9)
  expect(asObject(assignTasks([away, owner, member('third', [2, 3], [], 9)], 6))).toMatchObject({ owner: [0, 1] })
})

test('a task without a runner goes where its state is most advanced', () => {
  const members = [member('a', [], [[0, 10]]), member('b', [], [[0, 90]]), member('c')]
  expect(asObject(assignTasks(members, 3))).toMatchObject({ b: [0] })
})

test('more members than tasks leaves some without any', () => {
  expect(asObject(assignTasks([member('a'), member('b'), member('c', [0])], 2))).toEqual({ a: [1], b: [], c: [0] })
})

test('no members, no assignment', () => {
  expect(assignTasks([], 4).size).toBe(0)
})

describe('whatever the members claim', () => {
  const claims = fc
    .uniqueArray(
      fc.record({
        memberId: fc.string({ minLength: 1, maxLength: 4 }),
        tasks: fc.uniqueArray(fc.integer({ min: -2, max: 20 }), { maxLength: 12 }),
        generation: fc.integer({ min: -1, max: 5 }),
        stores: fc.array(fc.tuple(fc.integer({ min: -1, max: 20 }), fc.nat(100)), { maxLength: 8 }),
      }),
      { selector: ({ memberId }) => memberId, minLength: 1, maxLength: 6 },
    )
    .map((drawn) => drawn.map(({ memberId, tasks, generation, stores }) => member(memberId, tasks, stores, generation)))

  property.prop([claims, fc.integer({ min: 0, max: 16 })])(
    'each task has one owner and shares differ by one at most',
    (members, tasks) => {
      const assignment = assignTasks(members, tasks)
      expect([...assignment.values()].flat().toSorted((a, b) => a - b)).toEqual(
        Array.from({ length: tasks }, (_, task) => task),
      )
      const sizes = [...assignment.values()].map(({ length }) => length)
      expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1)
      expect([...assignment.keys()].toSorted()).toEqual(members.map(({ memberId }) => memberId).toSorted())
    },
  )

  property.prop([claims, fc.integer({ min: 0, max: 16 })])(
    'the order of the members does not matter',
    (members, tasks) => {
      expect(asObject(assignTasks(members.toReversed(), tasks))).toEqual(asObject(assignTasks(members, tasks)))
    },
  )

  property.prop([fc.integer({ min: 1, max: 6 }), fc.integer({ min: 0, max: 20 })])(
    'what was dealt out stays when nothing has changed',
    (count, tasks) => {
      const fresh = Array.from({ length: count }, (_, index) => member(`m${String(index)}`))
      const first = assignTasks(fresh, tasks)
      const again = assignTasks(
        [...first].map(([memberId, running]) => member(memberId, running)),
        tasks,
      )
      expect(asObject(again)).toEqual(asObject(first))
    },
  )
})
