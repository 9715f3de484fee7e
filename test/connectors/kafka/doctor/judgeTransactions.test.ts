import { expect, test } from 'vitest'
import type { OpenTransaction } from '../../../../src/connectors/kafka/write/findOpenTransaction.ts'
import { judgeTransactions } from '../../../../src/connectors/kafka/doctor/judgeTransactions.ts'

const nowMs = Date.UTC(2026, 10, 28, 12)
const open: OpenTransaction = {
  topic: 'orders',
  partition: 3,
  waiting: 15,
  firstOffset: 40,
  producerId: 7001n,
  transactionalId: 'billing-0',
  sinceMs: nowMs - 60_000,
}

test('a transaction that holds an input back is told with its producer, since when, and how to end it', () => {
  const [finding] = judgeTransactions([open], nowMs)
  expect(finding).toMatchObject({ level: 'warn' })
  for (const part of ['orders, partition 3', 'up to 15', '7001', '"billing-0"', '2026-11-28T11:59:00.000Z'])
    expect(finding?.what).toContain(part)
  expect(finding?.fix).toContain('--topic orders --partition 3 --start-offset 40')
})

test('one that was begun just now is not worth a word, one whose begin is not known is', () => {
  expect(judgeTransactions([{ ...open, sinceMs: nowMs - 1_000 }], nowMs)).toEqual([])
  expect(
    judgeTransactions([{ ...open, producerId: null, transactionalId: null, sinceMs: null }], nowMs)[0]?.what,
  ).toContain('do not tell')
})
