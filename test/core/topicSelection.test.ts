import { describe, expect, test } from 'vitest'
import { TidemarkError } from '../../src/core/errors.ts'
import {
  checkCopartitioned,
  selectInputs,
  selects,
  topicsOfTask,
  type SelectableTopics,
  type TopicSelection,
} from '../../src/core/topicSelection.ts'

const counts = new Map([
  ['orders-us', 3],
  ['orders-eu', 2],
  ['orders-own', 1],
  ['payments', 1],
])

/** A log with these topics, one of which no pattern may choose. */
const log: SelectableTopics = {
  partitions: (name) => counts.get(name),
  names: [...counts.keys()].filter((name) => name !== 'orders-own'),
  missing: (input) => new TidemarkError('unknown-topic', `${String(input)} is missing`),
}

const pattern = (regexp: RegExp): TopicSelection => ({ kind: 'pattern', pattern: regexp })
const list = (...topics: readonly string[]): TopicSelection => ({ kind: 'topics', topics })

describe('a selection', () => {
  test.each(['g', 'y', 'gy', ''])('by a pattern with the flags "%s" says the same each time', (flags) => {
    const selection = pattern(new RegExp('^orders-', flags))
    expect([1, 2, 3].map(() => selects(selection, 'orders-eu'))).toEqual([true, true, true])
    expect(selects(selection, 'payments')).toBe(false)
  })

  test('keeps the other flags of its pattern', () => {
    expect(selects(pattern(/^ORDERS/giu), 'orders-eu')).toBe(true)
  })

  test('by a list takes whole names', () => {
    expect([selects(list('orders'), 'orders'), selects(list('orders'), 'orders-eu')]).toEqual([true, false])
  })
})

describe('inputs', () => {
  test('are everything that is selected, once and in their order', () => {
    const inputs = [pattern(/^orders-/), list('payments', 'orders-eu')]
    expect([...selectInputs({ inputs }, log)]).toEqual([
      ['orders-us', 3],
      ['orders-eu', 2],
      ['payments', 1],
    ])
  })

  test('that only a list may choose are read where one does', () => {
    expect([...selectInputs({ inputs: [list('orders-own')] }, log).keys()]).toEqual(['orders-own'])
  })

  test.each<[string, readonly TopicSelection[], readonly string[], string]>([
    ['one of a list that does not exist', [list('payments', 'refunds')], [], 'refunds'],
    ['a pattern that nothing matches, beside others', [pattern(/^orders-/), pattern(/^x/)], [], '/^x/'],
    ['nothing that is left', [list('refunds')], ['refunds'], 'refunds'],
  ])('are refused for %s', (_, inputs, dropInputs, missing) => {
    expect(() => selectInputs({ inputs, dropInputs }, log)).toThrow(`${missing} is missing`)
  })

  test('that may be missing are read where they are there', () => {
    const inputs = [list('payments', 'refunds', 'orders-eu')]
    const found = selectInputs({ inputs, dropInputs: ['refunds', 'payments'] }, log)
    expect([...found.keys()]).toEqual(['payments', 'orders-eu'])
  })

  test('give a task those that have its partition', () => {
    expect([0, 1, 2, 3].map((task) => topicsOfTask(counts, task).length)).toEqual([4, 2, 1, 0])
  })

  test('that belong together have equal partition counts, or are named with theirs', () => {
    expect(() => {
      checkCopartitioned(
        new Map([
          ['a', 2],
          ['b', 2],
        ]),
      )
    }).not.toThrow()
    expect(() => {
      checkCopartitioned(counts)
    }).toThrow('orders-us 3, orders-eu 2, orders-own 1, payments 1')
  })
})
