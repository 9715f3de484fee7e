import { describe, expect, test } from 'vitest'
import type { RowLookup } from '../../../src/tables/rowLookup.ts'
import { TidemarkError } from '../../../src/core/errors.ts'
import type { LookupOutcome } from '../../../src/core/ports/lookup.ts'
import { ManualClock } from '../../../src/testing/world/manualClock.ts'
import { memoryRowLookup } from '../../../src/testing/world/memoryRowLookup.ts'
import { MemoryTables, type MemoryTablesOptions } from '../../../src/testing/world/memoryTables.ts'
import { TestProcess } from '../../../src/testing/world/testProcess.ts'

const sizes = (rows: readonly object[]): object => ({
  keyspace: 'shop',
  table: 'sizes',
  columns: { shirt: 'text', size: 'int', stock: 'bigint' },
  primaryKey: [['shirt'], ['size']],
  rows,
})
const row = (size: number, stock: number): object => ({ shirt: 'a', size, stock })
const request = (size: unknown): { keyspace: string; tableName: string; primaryKey: object } => ({
  keyspace: 'shop',
  tableName: 'sizes',
  primaryKey: { shirt: 'a', size },
})

function client(options: MemoryTablesOptions = {}): { tables: MemoryTables; lookup: RowLookup; clock: ManualClock } {
  const clock = new ManualClock()
  const tables = new MemoryTables([sizes([row(1, 10), row(2, 20)])], options)
  return { tables, clock, lookup: memoryRowLookup(tables, new TestProcess({ clock })) }
}

/** The answer in short: the row, `miss`, or the error's code. */
const short = (outcome: LookupOutcome<{ encoded: string }> | undefined): string | undefined =>
  outcome?.kind === 'hit' ? outcome.result.encoded : outcome?.kind === 'error' ? outcome.error.code : outcome?.kind

describe('MemoryTables', () => {
  test('a read is a hit, a miss or an error of its request', async () => {
    const { lookup } = client()
    expect(short(await lookup.lookup(request(1)))).toBe('{"shirt":"a","size":1,"stock":"10"}')
    expect(short(await lookup.lookup(request(3)))).toBe('miss')
    expect(short(await lookup.lookup(request('x')))).toBe('invalid-value')
    expect(short(await lookup.lookup({ ...request(1), tableName: 'other' }))).toBe('unknown-table')
    expect(short(await lookup.lookup({ ...request(1), keyspace: 'system_auth' }))).toBe('forbidden-keyspace')
    expect(short(await lookup.lookup({ keyspace: 'shop', tableName: 'sizes', pk: 'a' }))).toBe('key-mismatch')
  })

  test('rows change while the tables are in use', async () => {
    const { tables, lookup } = client()
    tables.load(sizes([row(1, 11)]))
    tables.remove(request(2))
    expect(short(await lookup.lookup(request(1)))).toBe('{"shirt":"a","size":1,"stock":"11"}')
    expect(short(await lookup.lookup(request(2)))).toBe('miss')
  })

  test('an answer takes its latency on the clock and shows the row as it is then', async () => {
    const { tables, clock, lookup } = client({ latencyMs: 100 })
    let seen: string | undefined
    void lookup.lookup(request(1)).then((outcome) => (seen = short(outcome)))
    await clock.advance(99)
    expect([seen, tables.counts.inFlight]).toEqual([undefined, 1])
    tables.remove(request(1))
    await clock.advance(1)
    expect([seen, tables.counts.inFlight]).toEqual(['miss', 0])
  })

  test('behaves as told, by key and by how often it was read', async () => {
    const failing = new TidemarkError('lookup-failed', 'overloaded', { retriable: true })
    const { lookup, clock } = client({
      behave: (_, reads) => (reads < 2 ? { error: failing, latencyMs: 10 } : undefined),
    })
    const read = async (size: number): Promise<string | undefined> =>
      short(await clock.runUntil(lookup.lookup(request(size))))
    expect([await read(1), await read(1), await read(2)]).toEqual(['lookup-failed', 'lookup-failed', 'lookup-failed'])
    expect(clock.now()).toBe(30)
    expect(await read(1)).toContain('"10"')
  })

  test('a group is one request; one that never answers keeps its group waiting', async () => {
    const { tables, lookup, clock } = client({
      grouped: true,
      behave: ({ primaryKey }) => (JSON.stringify(primaryKey).includes('2') ? { never: true } : undefined),
    })
    expect((await lookup.lookupMany?.([request(1), request(3)]))?.map(short)).toEqual([
      expect.stringContaining('"10"'),
      'miss',
    ])
    expect(tables.counts).toMatchObject({ requests: 1, reads: 2 })
    let answered = false
    void lookup.lookupMany?.([request(1), request(2)]).then(() => (answered = true))
    await clock.advance(60_000)
    expect(answered).toBe(false)
  })

  test('groups are offered only where a test wants them', () => {
    expect('lookupMany' in client().lookup).toBe(false)
  })

  test('while unreachable, nothing is answered', async () => {
    const { tables, lookup } = client()
    await lookup.connect()
    tables.unreachable = true
    expect(short(await lookup.lookup(request(1)))).toBe('system-unreachable')
    await expect(lookup.probe?.()).rejects.toMatchObject({ code: 'system-unreachable' })
    await expect(lookup.connect()).rejects.toMatchObject({ code: 'system-unreachable' })
    tables.unreachable = false
    await lookup.probe?.()
    await lookup.close()
    expect(tables.counts).toMatchObject({ connects: 1, closes: 1 })
  })

  test('knows the schema of its tables', () => {
    const { lookup } = client()
    expect(lookup.schema('shop', 'sizes')?.partitionKey).toEqual(['shirt'])
    expect(lookup.schema('shop', 'other')).toBeUndefined()
  })
})
