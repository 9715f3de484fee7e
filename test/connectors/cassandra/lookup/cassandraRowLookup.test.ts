import { fc, test } from '@fast-check/vitest'
import { errors } from 'cassandra-driver'
import { describe, expect } from 'vitest'
import type { RowRequest } from '../../../../src/tables/rowLookup.ts'
import { CassandraRowLookup } from '../../../../src/connectors/cassandra/lookup/cassandraRowLookup.ts'
import type { LookupOutcome } from '../../../../src/core/ports/lookup.ts'
import type { Row } from '../../../../src/tables/row.ts'
import { ManualClock } from '../../../../src/testing/world/manualClock.ts'
import { MemoryTables } from '../../../../src/testing/world/memoryTables.ts'
import { TestLogger } from '../../../../src/testing/kit/testLogger.ts'
import { FakeCassandra, invalidRequest, overloaded, unavailable } from '../fakeCassandra.ts'

const users = {
  keyspace: 'shop',
  table: 'users',
  columns: { user_id: 'bigint', region: 'text', name: 'text', 'odd "name"': 'int' },
  primaryKey: [['user_id'], ['region']],
  rows: [
    { user_id: '9007199254740993', region: 'us', name: 'Ada', 'odd "name"': 1 },
    { user_id: '9007199254740993', region: 'eu', name: 'Zoë' },
    { user_id: 2, region: 'us', name: null },
  ],
}
const items = {
  keyspace: 'shop',
  table: 'items',
  columns: { sku: 'int', price: 'decimal' },
  primaryKey: [['sku'], []],
  rows: Array.from({ length: 50 }, (_, sku) => ({ sku, price: `${String(sku)}.50` })),
}
const events = {
  keyspace: 'shop',
  table: 'events',
  columns: { day: 'date', kind: 'text', at: 'timestamp' },
  primaryKey: [['day', 'kind'], []],
  rows: [{ day: '2026-01-01', kind: 'click', at: 0 }],
}
const amounts = {
  keyspace: 'shop',
  table: 'amounts',
  columns: { id: 'int', amount: 'decimal', note: 'text' },
  primaryKey: [['id'], ['amount']],
  rows: [{ id: 1, amount: '1.0', note: 'a' }],
}
const definitions = [users, items, events, amounts]

interface Harness {
  readonly fake: FakeCassandra
  readonly clock: ManualClock
  readonly log: TestLogger
  readonly rows: CassandraRowLookup
}

function open(
  limits: { maxInFlight?: number; maxTables?: number } = {},
  tables: readonly unknown[] = definitions,
): Harness {
  const fake = new FakeCassandra(tables)
  const clock = new ManualClock()
  const log = new TestLogger()
  const rows = new CassandraRowLookup(
    fake,
    { maxInFlight: 256, maxTables: 200, requestTimeoutMs: 2_000, ...limits },
    clock,
    log,
  )
  return { fake, clock, log, rows }
}

const user = (id: unknown, region: unknown): RowRequest => ({
  keyspace: 'shop',
  tableName: 'users',
  primaryKey: { user_id: id, region },
})
const item = (sku: unknown): RowRequest => ({ keyspace: 'shop', tableName: 'items', pk: sku })

function shown(outcome: LookupOutcome<Row> | undefined): string {
  if (outcome === undefined) return 'nothing'
  if (outcome.kind === 'miss') return 'miss'
  if (outcome.kind === 'hit') return outcome.result.encoded
  return `${outcome.error.code}${outcome.error.retriable ? ' (retriable)' : ''}: ${outcome.error.message}`
}

describe('a lookup in Cassandra', () => {
  test('is a hit, a miss or an error', async () => {
    const { rows } = open()
    expect(shown(await rows.lookup(user('9007199254740993', 'us')))).toBe(
      '{"name":"Ada","odd \\"name\\"":1,"region":"us","user_id":"9007199254740993"}',
    )
    expect(shown(await rows.lookup(user('9007199254740992', 'us')))).toBe('miss')
    expect(shown(await rows.lookup(item('x')))).toMatch(/^invalid-value: .*column shop\.items\.sku of type int/)
    expect(shown(await rows.lookup({ keyspace: 'shop', tableName: 'nope', pk: 1 }))).toBe(
      'unknown-table: There is no table shop.nope',
    )
  })

  test('has the schema of a table that was looked up, and none before', async () => {
    const { rows } = open()
    expect(rows.schema('shop', 'users')).toBeUndefined()
    await rows.lookup(user(1, 'us'))
    expect(rows.schema('shop', 'users')?.partitionKey).toEqual(['user_id'])
    expect(rows.schema('shop', 'users')?.clusteringKey).toEqual(['region'])
  })

  test('connects once and closes once over 10,000 lookups', async () => {
    const { fake, rows } = open()
    await rows.connect()
    for (let at = 0; at < 100; at += 1) {
      await Promise.all(Array.from({ length: 100 }, (_, offset) => rows.lookup(item((at * 100 + offset) % 60))))
    }
    await rows.close()
    expect([fake.connects, fake.closes, fake.reads.length]).toEqual([1, 1, 10_000])
  })

  test('uses one statement a table, whatever order a key names its columns in and whether it is read alone or in a group', async () => {
    const { fake, rows } = open()
    for (let round = 0; round < 100; round += 1) {
      await Promise.all([
        rows.lookup(user(2, 'us')),
        rows.lookup({ keyspace: 'shop', tableName: 'users', primaryKey: { region: 'us', user_id: 2 } }),
        rows.lookupMany([user(2, 'us'), user(2, 'eu'), item(1), item(2)]),
        rows.lookup({ keyspace: 'shop', tableName: 'events', primaryKey: { kind: 'click', day: '2026-01-01' } }),
      ])
    }
    expect(fake.prepared).toEqual(
      [
        'SELECT "name", "odd ""name""", "region", "user_id" FROM "shop"."users" WHERE "user_id" = ? AND "region" IN ?',
        'SELECT "at", "day", "kind" FROM "shop"."events" WHERE "day" = ? AND "kind" = ?',
        'SELECT "price", "sku" FROM "shop"."items" WHERE "sku" IN ?',
      ].sort((a, b) => fake.prepared.indexOf(a) - fake.prepared.indexOf(b)),
    )
  })

  test('reads the schema of a table once for lookups that need it at the same time', async () => {
    const { fake, rows } = open()
    await Promise.all(Array.from({ length: 50 }, (_, sku) => rows.lookup(item(sku))))
    expect(fake.schemaReads).toHaveLength(1)
  })

  test('keeps the least recently used tables within the limit', async () => {
    const { fake, rows } = open({ maxTables: 2 })
    const lookups = [
      user(2, 'us'),
      item(1),
      user(2, 'us'),
      { keyspace: 'shop', tableName: 'amounts', primaryKey: { id: 1, amount: 1 } },
    ]
    for (const request of lookups) await rows.lookup(request)
    expect(rows.schema('shop', 'items')).toBeUndefined()
    expect(rows.schema('shop', 'users')).toBeDefined()
    expect(fake.schemaReads).toHaveLength(3)
    await rows.lookup(item(1))
    expect(fake.schemaReads).toHaveLength(4)
    expect(rows.figures().find(({ name }) => name === 'cassandra_statement_cache_evictions')?.value).toBe(2)
  })
})

describe('a group of lookups in Cassandra', () => {
  test('reads keys of one partition in one request, and equal keys once', async () => {
    const { fake, rows } = open()
    const id = '9007199254740993'
    const outcomes = await rows.lookupMany([
      user(id, 'us'),
      user(id, 'xx'),
      user(id, 'eu'),
      user(id, 'us'),
      user(2, 'us'),
    ])
    expect(outcomes.map(({ kind }) => kind)).toEqual(['hit', 'miss', 'hit', 'hit', 'hit'])
    expect(shown(outcomes[2])).toContain('Zoë')
    expect(outcomes[3]).toBe(outcomes[0])
    expect(fake.reads).toHaveLength(2)
  })

  test('reads whole partition keys in requests of at most 32', async () => {
    const { fake, rows } = open()
    const outcomes = await rows.lookupMany(Array.from({ length: 70 }, (_, sku) => item(sku)))
    expect(outcomes.map(shown)).toEqual(
      Array.from({ length: 70 }, (_, sku) =>
        sku < 50 ? `{"price":"${String(sku)}.50","sku":${String(sku)}}` : 'miss',
      ),
    )
    expect(fake.reads).toHaveLength(3)
  })

  test('reads decimals as clustering key one by one, because Cassandra takes 1.0 and 1.00 for one key', async () => {
    const { fake, rows } = open()
    const amount = (value: string): RowRequest => ({
      keyspace: 'shop',
      tableName: 'amounts',
      primaryKey: { id: 1, amount: value },
    })
    await rows.lookupMany([amount('1.0'), amount('1.00')])
    expect(fake.prepared).toEqual([
      'SELECT "amount", "id", "note" FROM "shop"."amounts" WHERE "id" = ? AND "amount" = ?',
    ])
    expect(fake.reads).toHaveLength(2)
  })

  test('in which the cluster names a row by another key than was asked for is read one by one where it does not tell', async () => {
    const { fake, rows } = open()
    await rows.lookup(item(1))
    const answer = fake.execute.bind(fake)
    // As an address inside IPv6 that some client has bound as it is: the cluster takes two spellings for one key.
    fake.execute = async (request) => {
      const response = await answer(request)
      const isGroup = request.cql.endsWith(' IN ?') && (request.values[0]?.length ?? 0) > 12
      if (!isGroup) return response
      return {
        ...response,
        rows: response.rows.map((row) => row.map((cell, at) => (at === 1 ? Buffer.from([0, 0, 0, 99]) : cell))),
      }
    }
    expect((await rows.lookupMany([item(3), item(77)])).map(shown)).toEqual(['{"price":"3.50","sku":3}', 'miss'])
    expect(fake.reads).toHaveLength(4)
  })

  test('gives each request its own outcome, in order, over several tables and errors', async () => {
    const { rows } = open()
    const outcomes = await rows.lookupMany([
      item(1),
      { keyspace: 'nope', tableName: 'nope', pk: 1 },
      user(2, 'us'),
      item('one'),
      { keyspace: 'System_auth', tableName: 'roles', pk: 'cassandra' },
      user(2, null),
      item(77),
    ])
    expect(outcomes.map((outcome) => (outcome.kind === 'error' ? outcome.error.code : outcome.kind))).toEqual([
      'hit',
      'unknown-table',
      'hit',
      'invalid-value',
      'forbidden-keyspace',
      'key-mismatch',
      'miss',
    ])
  })

  test('that is refused by IN is read one by one from then on, and says so once', async () => {
    const { fake, rows, log } = open()
    fake.behave = ({ cql }) =>
      cql.endsWith(' IN ?') ? { error: invalidRequest('Guardrail partition_keys_in_select violated') } : undefined
    const outcomes = await rows.lookupMany([item(1), item(2), item(99)])
    expect(outcomes.map(({ kind }) => kind)).toEqual(['hit', 'hit', 'miss'])
    expect(log.lines.filter(({ level }) => level === 'warn').map(({ message }) => message)).toEqual([
      'Cassandra refuses to read this table by IN; its rows are read one by one',
    ])
    fake.requests.length = 0
    await rows.lookupMany([item(3), item(4)])
    expect(fake.prepared).toEqual(['SELECT "price", "sku" FROM "shop"."items" WHERE "sku" = ?'])
  })

  test('of which one row cannot be read is read one by one, and only that row fails', async () => {
    const { fake, rows } = open()
    fake.behave = ({ cql, values }) => {
      const isBad = cql.includes('"items"') && values[0]?.includes(Buffer.from([0, 0, 0, 7])) === true
      return isBad ? { error: new Error('Server failure during read query') } : undefined
    }
    const outcomes = await rows.lookupMany([item(6), item(7), item(8)])
    expect(outcomes.map(({ kind }) => kind)).toEqual(['hit', 'error', 'hit'])
    expect(shown(outcomes[1])).toBe(
      'lookup-failed: Reading a row of shop.items failed: Server failure during read query',
    )
  })
})

describe('what a lookup in Cassandra says of failures', () => {
  test.each([
    ['an overloaded node', overloaded()],
    ['a lost connection', Object.assign(new Error('Socket was closed'), { isSocketError: true })],
  ])('%s is retriable and never a miss', async (_, error) => {
    const { fake, rows } = open()
    await rows.lookup(item(1))
    fake.behave = () => ({ error })
    for (const outcome of [await rows.lookup(item(1)), ...(await rows.lookupMany([item(1), item(99)]))]) {
      expect(shown(outcome)).toMatch(/^system-unreachable \(retriable\): Cassandra did not answer: /)
    }
  })

  test('a failure while the schema is read is retriable, and the table is found later', async () => {
    const { fake, rows } = open()
    fake.behave = () => ({ error: overloaded() })
    expect(shown(await rows.lookup(item(1)))).toContain('system-unreachable (retriable)')
    fake.behave = () => undefined
    expect((await rows.lookup(item(1))).kind).toBe('hit')
  })

  test('a probe is sent past all that waits, and rejects when there is no answer', async () => {
    const { fake, rows } = open({ maxInFlight: 1 })
    await rows.lookup(item(1))
    fake.behave = ({ route }) => (route === undefined ? undefined : { never: true })
    void rows.lookup(item(1))
    void rows.lookup(item(2))
    await expect(rows.probe()).resolves.toBeUndefined()
    fake.behave = () => ({ error: overloaded() })
    await expect(rows.probe()).rejects.toThrow('too many requests')
  })
})

describe('an answer of Cassandra in pages', () => {
  test.each([1, 2, 7])('of %d rows, the first of them empty, is read to its end', async (pageRows) => {
    const { fake, rows } = open()
    fake.pageRows = pageRows
    expect(shown(await rows.lookup(item(1)))).toBe('{"price":"1.50","sku":1}')
    expect(shown(await rows.lookup(item(77)))).toBe('miss')
    const skus = [3, 77, 4, 3, 49, 50, 8, 9, 10, 11]
    expect((await rows.lookupMany(skus.map(item))).map(shown)).toEqual(
      skus.map((sku) => (sku < 50 ? `{"price":"${String(sku)}.50","sku":${String(sku)}}` : 'miss')),
    )
  })

  test('that do not end is an error, and no miss', async () => {
    const { fake, rows } = open()
    await rows.lookup(item(1))
    fake.execute = () => Promise.resolve({ columns: fakeColumns, rows: [], pageState: 'again' })
    expect(shown(await rows.lookup(item(1)))).toBe(
      'lookup-failed (retriable): Reading rows of shop.items failed: Cassandra gave 1000 pages without an end',
    )
  })
})

const fakeColumns = [
  { name: 'price', type: { code: 6 } },
  { name: 'sku', type: { code: 9 } },
]

describe('a probe of Cassandra', () => {
  const failing = (fake: FakeCassandra, error: () => Error, is: (sku: number) => boolean): void => {
    fake.behave = ({ route, values }) => {
      const sku = values[0]?.subarray(-4).readInt32BE(0) ?? -1
      return route !== undefined && is(sku) ? { error: error() } : undefined
    }
  }

  test('is answered by any node while nothing has failed', async () => {
    const { fake, rows } = open()
    await rows.probe()
    expect(fake.requests.map(({ cql }) => cql)).toEqual(['SELECT key FROM system.local'])
  })

  test('reads again what replicas could not answer, until they can', async () => {
    const { fake, rows } = open()
    await rows.lookup(item(1))
    failing(fake, unavailable, (sku) => sku === 2)
    expect(await rows.lookup(item(2))).toMatchObject({ kind: 'error', unavailable: true })
    expect((await rows.lookup(item(1))).kind).toBe('hit')
    await expect(rows.probe()).rejects.toThrow('Not enough replicas')
    fake.behave = () => undefined
    await rows.probe()
    fake.requests.length = 0
    await rows.probe()
    expect(fake.reads).toEqual([])
  })

  test('is not answered while all that may be the fault of rows fails, and is when another read does not', async () => {
    const { fake, rows } = open()
    await rows.lookup(item(1))
    failing(
      fake,
      () => new errors.OperationTimedOutError('no reply'),
      () => true,
    )
    expect(await rows.lookup(item(2))).toMatchObject({ kind: 'error', unavailable: false })
    await expect(rows.probe()).rejects.toThrow(AggregateError)
    failing(
      fake,
      () => new errors.OperationTimedOutError('no reply'),
      (sku) => sku === 2,
    )
    await rows.probe()
  })

  test('is answered by a refusal as by rows: a table that is gone does not keep it waiting', async () => {
    const { fake, rows } = open()
    await rows.lookup(item(1))
    failing(fake, unavailable, () => true)
    await rows.lookupMany([item(2), item(3)])
    fake.behave = () => undefined
    fake.drop('shop', 'items')
    await rows.probe()
  })
})

describe('a table that changes while it is read', () => {
  const wider = {
    ...items,
    columns: { sku: 'int', price: 'decimal', note: 'text' },
    rows: [{ sku: 1, price: '1.50', note: 'new' }],
  }

  test('by a new column is read with it from the next check of the schema version on', async () => {
    const { fake, rows, clock } = open()
    await rows.lookup(item(1))
    await clock.advance(1_500)
    // The check goes on beside the lookup that starts it.
    await rows.lookup(item(1))
    fake.load(wider)
    await clock.advance(6_000)
    expect(shown(await rows.lookup(item(1)))).toBe('{"note":"new","price":"1.50","sku":1}')
  })

  test('by a column less is read again by its new schema at once', async () => {
    const { fake, rows } = open()
    await rows.lookup(item(1))
    fake.load({ ...items, columns: { sku: 'int' }, rows: [{ sku: 1 }] })
    expect((await rows.lookupMany([item(1), item(2)])).map(shown)).toEqual(['{"sku":1}', 'miss'])
    expect(fake.schemaReads).toHaveLength(2)
  })

  test('by the type of a column is read again, because the bytes of the answer mean something else', async () => {
    const { fake, rows } = open()
    await rows.lookup(item(1))
    fake.load({ ...items, columns: { sku: 'int', price: 'text' }, rows: [{ sku: 1, price: 'free' }] })
    expect(shown(await rows.lookup(item(1)))).toBe('{"price":"free","sku":1}')
    expect(shown(await rows.lookup(item(2)))).toBe('miss')
  })

  test('by its key is a final error of each message that still names the old one', async () => {
    const { fake, rows } = open()
    await rows.lookup(item(1))
    fake.load({ ...items, columns: { sku: 'int', shop: 'text' }, primaryKey: [['sku'], ['shop']], rows: [] })
    expect(shown(await rows.lookup(item(1)))).toMatch(/^key-mismatch: /)
  })

  test('by being dropped is unknown, and is found when it is made again', async () => {
    const { fake, rows } = open()
    await rows.lookup(item(1))
    fake.drop('shop', 'items')
    expect((await rows.lookupMany([item(1), item(2)])).map(shown)).toEqual([
      'unknown-table: There is no table shop.items',
      'unknown-table: There is no table shop.items',
    ])
    fake.load(items)
    expect((await rows.lookup(item(1))).kind).toBe('hit')
  })

  test('is read again only once: a statement that is refused for good is a final error', async () => {
    const { fake, rows } = open()
    await rows.lookup(item(1))
    fake.behave = ({ route }) => (route === undefined ? undefined : { error: invalidRequest('not today') })
    expect(shown(await rows.lookup(item(1)))).toBe('lookup-failed: Reading a row of shop.items failed: not today')
    // The one before, and then by IN and without it.
    expect(fake.reads).toHaveLength(3)
    expect(fake.schemaReads).toHaveLength(3)
  })

  test('while the change is on its way through the cluster is retriable', async () => {
    const { fake, rows } = open()
    await rows.lookup(item(1))
    fake.behave = ({ route }) =>
      route === undefined ? undefined : { error: invalidRequest('Undefined column name price') }
    fake.schemaVersion += 1
    expect(shown(await rows.lookup(item(1)))).toBe(
      'system-unreachable (retriable): The schema of Cassandra is changing, and shop.items could not be read meanwhile: Undefined column name price',
    )
  })

  test('costs one reading of the schema however many lookups notice', async () => {
    const { fake, rows } = open()
    await rows.lookup(item(1))
    fake.load({ ...items, columns: { sku: 'int' }, rows: [{ sku: 1 }] })
    await Promise.all(Array.from({ length: 30 }, (_, sku) => rows.lookup(item(sku))))
    expect(fake.schemaReads).toHaveLength(2)
  })

  test('is noticed after a silence before the first lookup, and asked for once a second while lookups go on', async () => {
    const { fake, rows, clock } = open()
    const checks = (): number => fake.requests.filter(({ cql }) => cql.includes('schema_version')).length
    await rows.lookup(item(1))
    for (let ms = 0; ms < 10_000; ms += 100) {
      await clock.advance(100)
      await rows.lookup(item(1))
    }
    expect(checks()).toBeGreaterThanOrEqual(9)
    expect(checks()).toBeLessThanOrEqual(11)
    fake.load(wider)
    await clock.advance(60_000)
    expect(shown(await rows.lookup(item(1)))).toContain('"note":"new"')
  })
})

describe('identifiers of a message', () => {
  const hostile = fc.oneof(
    fc.constantFrom(
      'x; DROP TABLE users',
      "x' OR '1'='1",
      'users"; TRUNCATE "users',
      'system_auth',
      '__proto__',
      'constructor',
      'users ',
      'Users',
      '',
      '\0',
      'x'.repeat(100_000),
    ),
    fc.string({ unit: 'binary' }),
    fc.stringMatching(/^\w{1,60}$/),
  )
  const statements = new Set<string>()

  test.prop([hostile, hostile, fc.anything()], { numRuns: 500 })(
    'never reach the text of a statement, nor a statement for rows',
    async (keyspace, tableName, pk) => {
      fc.pre(!(keyspace === 'shop' && ['users', 'items', 'events', 'amounts'].includes(tableName)))
      const { fake, rows } = open()
      const outcomes = [
        await rows.lookup({ keyspace, tableName, pk }),
        ...(await rows.lookupMany([
          { keyspace, tableName, pk },
          { keyspace: 'shop', tableName, pk },
        ])),
      ]
      for (const outcome of outcomes) {
        expect(shown(outcome)).toMatch(/^(unknown-table|forbidden-keyspace|key-mismatch|invalid-value): /)
        expect(shown(outcome).length).toBeLessThan(1_000)
      }
      expect(fake.reads).toEqual([])
      for (const { cql } of fake.requests) statements.add(cql)
      expect(statements.size).toBeLessThanOrEqual(3)
    },
  )

  test.prop([hostile, fc.dictionary(fc.string(), fc.string())], { numRuns: 200 })(
    'of columns and keys are compared with the schema, and values are bound',
    async (region, extra) => {
      const { fake, rows } = open()
      await rows.lookup({ keyspace: 'shop', tableName: 'users', primaryKey: { ...extra, user_id: 1, region } })
      expect(fake.prepared.length).toBeLessThanOrEqual(1)
      expect(fake.prepared.every((cql) => cql.endsWith('WHERE "user_id" = ? AND "region" IN ?'))).toBe(true)
    },
  )
})

describe('the same request in Cassandra and in the embedded world', () => {
  const memory = new MemoryTables(definitions)
  const value = fc.oneof(
    fc.constantFrom('9007199254740993', 2, 'us', 'eu', '2026-01-01', 'click', 1, '1.0', null),
    fc.anything(),
  )
  const request = fc.record({
    keyspace: fc.constantFrom('shop', 'shop', 'shop', 'nope', 'system'),
    tableName: fc.constantFrom('users', 'items', 'events', 'amounts', 'nope'),
    pk: value,
    primaryKey: fc.option(
      fc.oneof(
        fc.record({ user_id: value, region: value }, { requiredKeys: [] }),
        fc.record({ day: value, kind: value }, { requiredKeys: [] }),
        fc.record({ id: value, amount: value }, { requiredKeys: [] }),
        fc.dictionary(fc.string(), value),
      ),
      { nil: undefined },
    ),
  })

  test.prop([fc.array(request, { maxLength: 8 })], { numRuns: 500 })(
    'has the same outcome, to the word',
    async (requests) => {
      const { rows } = open()
      const expected = requests.map((one) => shown(memory.read(one)))
      expect((await rows.lookupMany(requests)).map(shown)).toEqual(expected)
      expect((await Promise.all(requests.map((one) => rows.lookup(one)))).map(shown)).toEqual(expected)
    },
  )
})
