import { expect, test } from 'vitest'
import { internalTopicsAmong, ownTopicsOf, taskTransactionalId } from '../../src/core/ownNames.ts'

const job = { job: 'orders-clean', group: 'source' }

test("what is a job's own is named after it", () => {
  expect([...ownTopicsOf(job)]).toEqual([
    'orders-clean-source-changelog',
    'orders-clean-source-wal',
    'orders-clean-control',
  ])
  expect(taskTransactionalId('orders-tx', { group: 'source', partition: 3 })).toBe('orders-tx-source-3')
})

test('changelogs are internal, and the other topics of a job that has one', () => {
  const names = [...ownTopicsOf(job), 'quality-control', 'quality-wal', 'orders']
  expect([...internalTopicsAmong(names)]).toEqual([...ownTopicsOf(job)])
})
