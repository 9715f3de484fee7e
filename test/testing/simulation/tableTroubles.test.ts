import { describe, expect, test } from 'vitest'
import { MemoryTables, record, type MemoryTablesOptions } from '../../../src/testing/index.ts'
import { layOut } from '../../../src/testing/simulation/inputs.ts'
import { rowsNamedBy, TableTroubles } from '../../../src/testing/simulation/tableTroubles.ts'

const accounts = {
  keyspace: 'bank',
  table: 'accounts',
  columns: { id: 'int', balance: 'int' },
  primaryKey: [['id'], []],
  rows: [{ id: 1, balance: 10 }],
}
const request = (pk: number): { keyspace: string; tableName: string; pk: number } => ({
  keyspace: 'bank',
  tableName: 'accounts',
  pk,
})

/** `input 0@0` asks for row 1, the next one for row 2, and the last one is no request. */
function troubles(options: MemoryTablesOptions = {}): TableTroubles {
  const tables = new MemoryTables([accounts], options)
  const topics = { input: [record(request(1)), record(request(2)), record('no JSON')] }
  const inputs = layOut(topics, { partitions: 1, perSecond: 100, startMs: 0 })
  return new TableTroubles(tables, { timeoutMs: 5_000, attempts: 3 }, rowsNamedBy(inputs, tables))
}

describe('what was done to rows', () => {
  test('nothing was: nothing may differ', () => {
    const none = troubles()
    expect([none.any, none.lookupDeadLetter('input 0@0'), none.otherValue('input 0@0')]).toEqual([false, false, false])
  })

  test('as many failures as a lookup has tries excuse the records of that row, and no others', () => {
    const all = troubles()
    for (let tries = 0; tries < 2; tries += 1) all.asked([request(1)], { lost: 'answer' }, 0)
    expect(all.lookupDeadLetter('input 0@0')).toBe(false)
    all.asked([request(1), request(3)], { lost: 'request' }, 0)
    expect([all.any, all.lookupDeadLetter('input 0@0'), all.lookupDeadLetter('input 0@1')]).toEqual([true, true, false])
    // A record that names no row in its own words may have asked for any.
    expect(all.lookupDeadLetter('input 0@2')).toBe(true)
    expect(all.otherValue('input 0@0')).toBe(false)
  })

  test('delays count together, up to the timeout', () => {
    const late = troubles()
    late.asked([request(2)], { requestMs: 2_000 }, 0)
    late.asked([request(2)], { answerMs: 1_900 }, 0)
    expect(late.lookupDeadLetter('input 0@1')).toBe(false)
    late.asked([request(2)], {}, 200)
    expect(late.lookupDeadLetter('input 0@1')).toBe(true)
  })

  test('what a client ends by its own timeout has failed', () => {
    const bounded = troubles({ bound: { maxInFlight: 1, requestTimeoutMs: 500 } })
    for (let tries = 0; tries < 3; tries += 1) bounded.asked([request(1)], { answerMs: 500 }, 0)
    expect(bounded.lookupDeadLetter('input 0@0')).toBe(true)
  })

  test('a key that a double does not hold is the key that it is', () => {
    const orders = { ...accounts, table: 'orders', columns: { id: 'bigint' }, rows: [] }
    const tables = new MemoryTables([orders])
    const key = '9007199254740993'
    const text = `{"keyspace":"bank","tableName":"orders","pk":${key}}`
    const inputs = layOut({ input: [text] }, { partitions: 1, perSecond: 100, startMs: 0 })
    const row = tables.rowName({ keyspace: 'bank', tableName: 'orders', pk: key })
    expect(row).not.toBeNull()
    expect(rowsNamedBy(inputs, tables)('input 0@0')).toBe(row)
  })

  test('a row that has changed excuses what comes of its own records', () => {
    const tables = new MemoryTables([accounts])
    const changed = troubles()
    changed.rowChanged(tables.hide(0)?.name ?? '')
    expect([changed.otherValue('input 0@0'), changed.otherValue('input 0@1')]).toEqual([true, false])
    expect(changed.lookupDeadLetter('input 0@0')).toBe(false)
  })
})
