import { isLeft } from 'fp-ts/lib/Either.js'
import * as t from 'io-ts'
import { describe, expect, test } from 'vitest'
import { deletionOf, ReconcileRequest } from '../../../jobs/reconcile/request.ts'
import { reconcileSample, sampleOutcomes, type SampleOutcome } from '../../../jobs/reconcile/sample.ts'
import { badMessages } from '../../../jobs/reconcile/badMessages.ts'
import { compareWithRow, encodeRow } from '../../../src/tables/row.ts'
import { parseTableDefinition } from '../../../src/tables/parseTableDefinition.ts'
import { encodeRowKey } from '../../../src/tables/primaryKey.ts'
import { requestedKey } from '../../../src/tables/rowLookup.ts'
import type { TableSchema } from '../../../src/tables/tableSchema.ts'
import { decodeJsonText } from '../../../src/codecs/json/decodeJsonText.ts'
import { parseJson } from '../../../src/codecs/json/parseJson.ts'
import { TidemarkError } from '../../../src/core/errors.ts'
import type { Sample, SampleOptions, SampleRecord } from '../../../src/runtime/plan/defineJob.ts'

const bundled: SampleOptions = { records: null }
const topic = 'input-topic'

function recordsOf(options: SampleOptions): readonly SampleRecord[] {
  return [...(reconcileSample(options, topic).topics[topic] ?? [])]
}

/** What is known of a sample because it was made so; a run over the whole of it has to count the same. */
interface SampleFacts {
  readonly messages: number
  readonly actions: Readonly<Record<'NONE' | 'INSERT' | 'UPDATE' | 'DELETE', number>>
  /** By error code. */
  readonly deadLetters: Readonly<Record<string, number>>
  /** By `keyspace.table`, then column. */
  readonly differing: Readonly<Record<string, Readonly<Record<string, number>>>>
  /** Messages with at least one field that names no column of a row that is there. */
  readonly withIgnoredFields: number
}

/** The sums of `sampleOutcomes`. */
function sampleFacts(options: SampleOptions): SampleFacts {
  const actions = { NONE: 0, INSERT: 0, UPDATE: 0, DELETE: 0 }
  const deadLetters: Record<string, number> = {}
  const differing: Record<string, Record<string, number>> = {}
  let messages = 0
  let withIgnoredFields = 0
  for (const outcome of sampleOutcomes(options)) {
    messages += 1
    if (outcome.kind === 'dead-letter') {
      deadLetters[outcome.code] = (deadLetters[outcome.code] ?? 0) + 1
      continue
    }
    actions[outcome.action] += 1
    if (outcome.ignored > 0) withIgnoredFields += 1
    for (const column of outcome.differing) {
      const columns = (differing[outcome.table] ??= {})
      columns[column] = (columns[column] ?? 0) + 1
    }
  }
  return { messages, actions, deadLetters, differing, withIgnoredFields }
}

/** Judges records by the codecs alone, knowing nothing of how the sample was made. */
function judgeAll(sample: Sample): readonly SampleOutcome[] {
  const tables = new Map<string, { readonly schema: TableSchema; readonly rows: ReadonlyMap<string, string> }>()
  for (const json of sample.tables) {
    const { schema, rows } = parseTableDefinition(json)
    const encoded = [...rows].map((row): [string, string] => [
      encodeRowKey(schema, row).keyObject,
      encodeRow(schema, row),
    ])
    tables.set(`${schema.keyspace}.${schema.table}`, { schema, rows: new Map(encoded) })
  }
  const parse = (bytes: string | Buffer): unknown =>
    parseJson(decodeJsonText(Buffer.from(bytes)), { numbers: 'exact', maxDepth: 256 })

  const judge = ({ key, value }: SampleRecord): SampleOutcome => {
    const decoded = ReconcileRequest.decode(value === null ? keyRequest(key) : parse(value))
    if (isLeft(decoded)) throw new TidemarkError(value === null ? 'tombstone-without-key' : 'schema-mismatch', '')
    const { keyspace, tableName, payload } = decoded.right
    if (keyspace.startsWith('system')) throw new TidemarkError('forbidden-keyspace', '')
    const name = `${keyspace}.${tableName}`
    const table = tables.get(name)
    if (table === undefined) throw new TidemarkError('unknown-table', '')
    const encoded = table.rows.get(requestedKey(table.schema, decoded.right).keyObject)
    const result = { kind: 'result', table: name, differing: [], ignored: 0 } as const
    if (payload === null) return { ...result, action: encoded === undefined ? 'NONE' : 'DELETE' }
    if (encoded === undefined) return { ...result, action: 'INSERT' }
    const { equal, differing, ignored } = compareWithRow({ schema: table.schema, encoded }, payload)
    return { ...result, action: equal ? 'NONE' : 'UPDATE', differing, ignored }
  }

  const keyRequest = (key: string | Buffer | null): unknown => {
    try {
      const members = t.UnknownRecord.decode(parse(key ?? ''))
      return isLeft(members) ? null : deletionOf(members.right)
    } catch {
      throw new TidemarkError('tombstone-without-key', '')
    }
  }

  return [...(sample.topics[topic] ?? [])].map((record) => {
    try {
      return judge(record)
    } catch (error) {
      if (error instanceof TidemarkError) return { kind: 'dead-letter', code: error.code }
      throw error
    }
  })
}

function withSortedColumns(outcome: SampleOutcome): SampleOutcome {
  return outcome.kind === 'result' ? { ...outcome, differing: outcome.differing.toSorted() } : outcome
}

describe('the sample', () => {
  test.each([bundled, { records: 3_000 }])('leads where it says it leads, message by message: %o', (options) => {
    const said = [...sampleOutcomes(options)].map(withSortedColumns)
    expect(judgeAll(reconcileSample(options, topic)).map(withSortedColumns)).toEqual(said)
  })

  test('is the same bytes each time', () => {
    expect(recordsOf(bundled)).toEqual(recordsOf(bundled))
    expect(reconcileSample(bundled, topic).tables).toEqual(reconcileSample(bundled, topic).tables)
  })

  test('goes to the input topic of the settings', () => {
    expect(Object.keys(reconcileSample(bundled, 'elsewhere').topics)).toEqual(['elsewhere'])
  })
})

describe('the bundled sample', () => {
  test('has some hundreds of messages, with every action and 6 to 8 per cent dead letters', () => {
    const { messages, actions, deadLetters } = sampleFacts(bundled)
    expect(messages).toBe(600)
    for (const count of Object.values(actions)) expect(count).toBeGreaterThan(15)
    const dead = Object.values(deadLetters).reduce((sum, count) => sum + count, 0)
    expect(dead / messages).toBeGreaterThan(0.06)
    expect(dead / messages).toBeLessThan(0.08)
    expect(Object.values(actions).reduce((sum, count) => sum + count, dead)).toBe(messages)
  })

  test('has every kind of bad message', () => {
    const dead = [...sampleOutcomes(bundled)].filter(({ kind }) => kind === 'dead-letter')
    expect(dead.length).toBeGreaterThanOrEqual(badMessages.length)
    expect(Object.keys(sampleFacts(bundled).deadLetters).toSorted()).toEqual([
      'byte-order-mark',
      'empty-value',
      'forbidden-keyspace',
      'invalid-utf8',
      'invalid-value',
      'key-mismatch',
      'malformed-json',
      'schema-mismatch',
      'tombstone-without-key',
      'too-deep',
      'unknown-table',
    ])
  })

  test('has both versions of the input, with and without a value', () => {
    const values = recordsOf(bundled).map(({ value }) => String(value))
    expect(values.filter((value) => value.includes('"pk":')).length).toBeGreaterThan(50)
    expect(values.filter((value) => value.includes('"primaryKey":')).length).toBeGreaterThan(50)
    const tombstones = recordsOf(bundled).filter(({ value, key }) => value === null && String(key).startsWith('{'))
    expect(tombstones.some(({ key }) => String(key).includes('"pk":'))).toBe(true)
    expect(tombstones.some(({ key }) => String(key).includes('"primaryKey":'))).toBe(true)
  })

  test('has keys and values that a double would change', () => {
    const unsafe = recordsOf(bundled).filter(({ value }) => /"(?:pk|order_id)":9007199254\d{6}/.test(String(value)))
    expect(unsafe.length).toBeGreaterThan(10)
  })
})

describe('a generated sample', () => {
  test('has about as many messages as asked for, 9 % without a row, 3 % differing, 1 % bad', () => {
    const records = 20_000
    const { messages, actions, deadLetters } = sampleFacts({ records })
    const dead = Object.values(deadLetters).reduce((sum, count) => sum + count, 0)
    expect(messages).toBe(records)
    expect(dead).toBe(records / 100)
    expect(actions.INSERT / records).toBeGreaterThan(0.07)
    expect(actions.INSERT / records).toBeLessThan(0.09)
    expect(actions.UPDATE / records).toBeGreaterThan(0.025)
    expect(actions.UPDATE / records).toBeLessThan(0.035)
  })

  test('makes its messages while they are read', () => {
    const records = reconcileSample({ records: 100_000 }, topic).topics[topic]
    expect(Array.isArray(records)).toBe(false)
    expect(records?.[Symbol.iterator]().next().done).toBe(false)
  })

  test('of a few messages is a sample too', () => {
    expect(recordsOf({ records: 1 })).toHaveLength(1)
    expect(recordsOf({ records: 0 })).toHaveLength(0)
  })
})
