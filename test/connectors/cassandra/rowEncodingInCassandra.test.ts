import { fc, test } from '@fast-check/vitest'
import { afterAll, beforeAll, expect } from 'vitest'
import { nativeTypeNames, type CqlType } from '../../../src/tables/cqlType.ts'
import { parseCqlType } from '../../../src/tables/parseCqlType.ts'
import { parseTableDefinition } from '../../../src/tables/parseTableDefinition.ts'
import { encodeRow } from '../../../src/tables/row.ts'
import type { RowRequest } from '../../../src/tables/rowLookup.ts'
import type { TableSchema } from '../../../src/tables/tableSchema.ts'
import { valueCodec } from '../../../src/tables/valueCodec.ts'
import { parseJson } from '../../../src/codecs/json/parseJson.ts'
import { sha256Hex } from '../../../src/codecs/sha256.ts'
import golden from '../../tables/row-encoding.golden.json' with { type: 'json' }
import { nativeValue } from '../../tables/cqlArbitraries.ts'
import { describeWithServers } from '../../support/realServers.ts'
import { createStatements, keyspaceStatement, realRows, writeRow, type RealRows } from './realRows.ts'

const suffix = String(process.pid)

/** Natives that can stand in a key. */
const keyTypes = nativeTypeNames.filter((name) => name !== 'counter' && name !== 'duration')

describeWithServers('a row in a real Cassandra', ['cassandra'], (servers) => {
  const keyspace = `encoding_${suffix}`
  let real: RealRows

  beforeAll(async () => {
    real = realRows(servers.cassandra().contactPoints, {
      localDatacenter: servers.cassandra().datacenter,
      requestTimeoutMs: 30_000,
    })
    await real.rows.connect()
    await real.query(keyspaceStatement(keyspace))
  })

  afterAll(async () => {
    await real.query(`DROP KEYSPACE IF EXISTS "${keyspace}"`).catch(() => undefined)
    await real.rows.close()
  })

  async function make(definition: object): Promise<TableSchema> {
    const { schema } = parseTableDefinition({ rows: [], ...definition, keyspace })
    for (const cql of createStatements(schema)) await real.query(cql)
    return schema
  }

  async function read(request: Omit<RowRequest, 'keyspace'>): Promise<string> {
    const outcome = await real.rows.lookup({ keyspace, ...request })
    if (outcome.kind === 'error') throw outcome.error
    return outcome.kind === 'hit' ? outcome.result.encoded : 'miss'
  }

  /** The values of the key columns, in a spelling of the request's own. */
  function keyOf(schema: TableSchema, row: Readonly<Record<string, unknown>>): Record<string, unknown> {
    return Object.fromEntries([...schema.partitionKey, ...schema.clusteringKey].map((name) => [name, row[name]]))
  }

  test('written by bound values has the golden text and hash, for every type', async () => {
    for (const { encoded, ...definition } of golden.tables) {
      const schema = await make(definition)
      for (const [at, row] of definition.rows.entries()) {
        await writeRow(real.session, schema, encoded[at]?.text ?? '')
        const text = await read({ tableName: schema.table, primaryKey: keyOf(schema, row) })
        expect({ text, sha256: sha256Hex(text) }).toEqual(encoded[at])
        expect(real.rows.schema(keyspace, schema.table)).toEqual(schema)
      }
    }
  })

  test('written by Cassandra from JSON has the golden text and hash, whatever this connector encodes', async () => {
    const [table] = golden.tables
    if (table === undefined) throw new Error('no golden table')
    const { encoded, ...definition } = table
    const schema = await make({ ...definition, table: 'from_json' })
    for (const [at, row] of definition.rows.entries()) {
      // A quoted name is a JSON name with its quotes in it.
      const members = Object.entries(row).map(([name, value]) => [
        /^[a-z_0-9]+$/.test(name) ? name : `"${name}"`,
        value,
      ])
      const json = JSON.stringify(Object.fromEntries(members)).replaceAll("'", "''")
      await real.query(`INSERT INTO "${keyspace}".from_json JSON '${json}'`)
      const text = await read({ tableName: 'from_json', primaryKey: keyOf(schema, row) })
      expect({ text, sha256: sha256Hex(text) }).toEqual(encoded[at])
    }
  })

  test('answers the same text to a query', async () => {
    const [table] = golden.tables
    if (table === undefined) throw new Error('no golden table')
    const { encoded, ...definition } = table
    const schema = await make({ ...definition, table: 'queried' })
    for (const { text } of encoded) await writeRow(real.session, schema, text)
    // What is frozen is not told to a query, so an empty collection that is null to Cassandra is null here as well.
    expect([...(await real.query(`SELECT * FROM "${keyspace}".queried`))].sort()).toEqual(
      encoded.map(({ text }) => text).sort(),
    )
  })

  const composites = [
    'list<timestamp>',
    'frozen<set<varint>>',
    'map<text, double>',
    'frozen<map<uuid, frozen<list<duration>>>>',
    'frozen<map<boolean, inet>>',
    'frozen<map<frozen<tuple<int, text>>, decimal>>',
    'tuple<bigint, time, date>',
    'vector<float, 3>',
    'vector<smallint, 2>',
    'vector<text, 2>',
    'vector<frozen<list<varint>>, 1>',
    'set<blob>',
  ].map((text) => parseCqlType(text))

  test('with any values of any types is read back to its text', async () => {
    const natives = nativeTypeNames.filter((name) => name !== 'counter')
    const types = [...natives.map((name): CqlType => ({ kind: 'native', name })), ...composites]
    const columns = Object.fromEntries([['id', 'int'], ...types.map((type, at) => [`c${String(at)}`, textOf(type)])])
    const schema = await make({ table: 'anything', columns, primaryKey: [['id'], []] })
    const row = fc.tuple(...types.map((type) => fc.option(valueOf(type), { freq: 8 })))
    let id = 0
    await fc.assert(
      fc.asyncProperty(row, async (values) => {
        id += 1
        const members = values.map((value, at) => [`c${String(at)}`, value] as const)
        const encoded = encodeRow(schema, Object.fromEntries([['id', id], ...members]))
        await writeRow(real.session, schema, encoded)
        expect(await read({ tableName: 'anything', pk: id })).toBe(encoded)
      }),
      { numRuns: 200 },
    )
  }, 120_000)

  test('is found by a key of any type, alone and in a group, in any spelling', async () => {
    for (const name of keyTypes) {
      const partition = await make({ table: `by_${name}`, columns: { k: name, v: 'int' }, primaryKey: [['k'], []] })
      const clustered = await make({
        table: `in_${name}`,
        columns: { k: 'int', c: name, v: 'int' },
        primaryKey: [['k'], ['c']],
      })
      const type: CqlType = { kind: 'native', name }
      const isEmpty = (value: unknown): boolean => value === '' || value === '0x'
      const values = fc.sample(
        nativeValue(name).filter((value) => !isEmpty(value)),
        { numRuns: 12, seed: 1 },
      )
      const texts = new Map(values.map((value) => [valueCodec(type).encode(value) ?? '', value]))
      const written = [...texts.keys()]
      for (const [at, text] of written.entries()) {
        const v = String(at)
        await writeRow(real.session, partition, `{"k":${text},"v":${v}}`)
        await writeRow(real.session, clustered, `{"c":${text},"k":7,"v":${v}}`)
      }
      for (const [text, value] of texts) {
        expect(await read({ tableName: partition.table, pk: value })).toContain(`"k":${text},`)
        expect(await read({ tableName: clustered.table, primaryKey: { c: value, k: '7' } })).toContain(`"c":${text},`)
      }
      for (const { table } of [partition, clustered]) {
        const requests = [...texts.values()].map((value): RowRequest => ({
          keyspace,
          tableName: table,
          ...(table === partition.table ? { pk: value } : { primaryKey: { k: 7, c: value } }),
        }))
        const outcomes = await real.rows.lookupMany(requests)
        expect([name, outcomes.map((outcome) => (outcome.kind === 'hit' ? outcome.result.encoded : outcome))]).toEqual([
          name,
          await Promise.all(
            requests.map(({ tableName, pk, primaryKey }) =>
              read({ tableName, ...(primaryKey === undefined ? { pk } : { primaryKey }) }),
            ),
          ),
        ])
      }
    }
  }, 180_000)

  test('is found by collections, tuples, vectors and user-defined types as key', async () => {
    const columns = {
      a: 'frozen<set<text>>',
      b: 'frozen<map<int, text>>',
      c: 'tuple<int, text>',
      d: 'frozen<place>',
      e: 'frozen<list<decimal>>',
      v: 'int',
    }
    const types = { place: { city: 'text', 'Zip "code"': 'int' } }
    const key = { a: ['b', 'a', 'b'], b: { 10: 'x', 9: 'y' }, c: [1, null], d: { city: 'X', 'Zip "code"': 1 }, e: [] }
    for (const [table, primaryKey] of [
      ['composite_partition', [['a', 'b', 'c', 'd', 'e'], []]],
      ['composite_clustering', [['a'], ['b', 'c', 'd', 'e']]],
      ['composite_in', [['a'], ['b', 'e', 'c', 'd']]],
    ] as const) {
      const schema = await make({ table, types, columns, primaryKey })
      const encoded = encodeRow(schema, { ...key, v: 1 })
      await writeRow(real.session, schema, encoded)
      const spelled = {
        ...key,
        a: ['a', 'b'],
        b: [
          [9, 'y'],
          [10, 'x'],
        ],
      }
      expect(await read({ tableName: table, primaryKey: spelled })).toBe(encoded)
      const others = [spelled, { ...spelled, d: { city: 'Y' } }, { ...spelled, d: {} }]
      const outcomes = await real.rows.lookupMany(
        others.map((primary) => ({ keyspace, tableName: table, primaryKey: primary })),
      )
      expect(outcomes.map(({ kind }) => kind)).toEqual(['hit', 'miss', 'miss'])
    }
  })

  test('keeps the fields and columns whose names break naive code', async () => {
    const definition = parseJson(
      `{"table":"odd","types":{"o":{"__proto__":"int","constructor":"int"}},"columns":{"id":"int","__proto__":"text","toString":"frozen<o>"},"primaryKey":[["id"],[]]}`,
      {},
    )
    const schema = await make(definition as object)
    const encoded = '{"__proto__":"kept","id":1,"toString":{"__proto__":1,"constructor":2}}'
    await writeRow(real.session, schema, encoded)
    expect(await read({ tableName: 'odd', pk: 1 })).toBe(encoded)
  })

  test('has static columns, and a counter with all its digits', async () => {
    await real.query(`CREATE TABLE "${keyspace}".statics (k int, c int, s text static, v int, PRIMARY KEY (k, c))`)
    await real.query(`INSERT INTO "${keyspace}".statics (k, c, s, v) VALUES (1, 1, 'shared', 5)`)
    await real.query(`INSERT INTO "${keyspace}".statics (k, s) VALUES (2, 'alone')`)
    expect(await read({ tableName: 'statics', primaryKey: { k: 1, c: 1 } })).toBe('{"c":1,"k":1,"s":"shared","v":5}')
    expect(await read({ tableName: 'statics', primaryKey: { k: 2, c: 1 } })).toBe('miss')
  })
})

function textOf(type: CqlType): string {
  switch (type.kind) {
    case 'native':
      return type.name
    case 'tuple':
      return `tuple<${type.elements.map(textOf).join(', ')}>`
    case 'vector':
      return `vector<${textOf(type.element)}, ${String(type.dimensions)}>`
    case 'map':
      return frozen(type.frozen, `map<${textOf(type.key)}, ${textOf(type.value)}>`)
    case 'list':
    case 'set':
      return frozen(type.frozen, `${type.kind}<${textOf(type.element)}>`)
    case 'udt':
      throw new Error('not used here')
  }
}

function frozen(isFrozen: boolean, text: string): string {
  return isFrozen ? `frozen<${text}>` : text
}

/** Values that Cassandra stores as they are: distinct elements and keys, and decimals that differ in more than their zeros. */
function valueOf(type: CqlType): fc.Arbitrary<unknown> {
  switch (type.kind) {
    case 'native':
      return nativeValue(type.name)
    case 'list':
    case 'set':
      return fc.array(valueOf(type.element), { maxLength: 4 })
    case 'vector':
      return fc.array(valueOf(type.element), { minLength: type.dimensions, maxLength: type.dimensions })
    case 'tuple':
      return fc.tuple(...type.elements.map((element) => fc.option(valueOf(element))))
    case 'map':
      return fc.uniqueArray(fc.tuple(valueOf(type.key), valueOf(type.value)), {
        maxLength: 3,
        selector: ([key]) => valueCodec(type.key).encode(key),
      })
    case 'udt':
      throw new Error('not used here')
  }
}
