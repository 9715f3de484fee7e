import { createHash } from 'node:crypto'
import { ABORT, record } from 'tidemark/testing'
import { describe, expect, test } from 'vitest'
import { cases, firstTimestamp, messages, reconcile, shapes, versions } from './shapeFixtures.ts'

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex').toUpperCase()

/** A message of the second version about one user; any part may be replaced. */
const user = (parts: { readonly key?: string; readonly payload?: string; readonly table?: string } = {}): string =>
  `{"keyspace":"ks1","tableName":"${parts.table ?? 'users'}","primaryKey":${parts.key ?? '{"user_id":"123","region":"us-east"}'},"payload":${parts.payload ?? '{"name":"alice"}'}}`

/** A message of the first version about one customer. */
const customer = (pk: string, payload = '{"name":"Zoë"}'): string =>
  `{"keyspace":"ks1","tableName":"customers","pk":${pk},"payload":${payload}}`

/** The one result of one message, as text. */
async function resultOf(message: string, settings: Readonly<Record<string, string>> = {}): Promise<string> {
  const run = await reconcile([record(message, { timestamp: firstTimestamp })], settings)
  const [result, ...others] = run.topic('reconcile').text
  if (typeof result !== 'string' || others.length > 0) throw new Error(JSON.stringify(run.deadLetters))
  return result
}

describe.each(shapes)('shape %s', (shape) => {
  test.each(versions)('writes what is on file, byte for byte, for input %s', async (version) => {
    const run = await reconcile(messages(version), { 'reconcile.shape': shape })
    const results = run.topic('reconcile').text
    expect(run.deadLetters).toEqual([])
    await expect(results.map((text) => `${String(text)}\n`).join('')).toMatchFileSnapshot(
      `./golden/${shape}-${version}.jsonl`,
    )
  })

  test('takes its fingerprints over the raw message and over the row encoding', async () => {
    const message = user({ payload: '{ "age" : 3.0e1 }' })
    const row = '{"age":30,"name":"alice","region":"us-east","user_id":"123"}'
    const result = await resultOf(message, { 'reconcile.shape': shape })
    expect(result).toContain(`"${sha256(message)}"`)
    expect(result).toContain(`"${sha256(row)}"`)
  })

  test('is the same bytes when its epoch is replayed', async () => {
    const [first, ...rest] = messages('v2')
    if (first === undefined) throw new Error('no message')
    const crashed = await reconcile([first, ABORT, ...rest], { 'reconcile.shape': shape })
    const calm = await reconcile([first, ...rest], { 'reconcile.shape': shape })
    expect(crashed.crashes).toHaveLength(1)
    expect(crashed.topic('reconcile').text).toEqual(calm.topic('reconcile').text)
  })
})

describe('the shapes', () => {
  test.each([
    ['action', ['pk', 'hash', 'cass_hash', 'payload', 'ts', 'action']],
    ['single-key', ['pk', 'hashKafkaMessage', 'hashCassandraRow', 'payload']],
    ['composite', ['primaryKey', 'hashKafkaMessage', 'hashCassandraRow', 'payload']],
    ['sql', ['primaryKey', 'hash_kafka', 'hash_cassandra', 'payload']],
  ])('%s has exactly the keys %j', async (shape, keys) => {
    expect(Object.keys(JSON.parse(await resultOf(user(), { 'reconcile.shape': shape })) as object)).toEqual(keys)
  })

  test.each([
    ['reconsile', 'action'],
    ['reconcile', 'single-key'],
  ])("go by the seeds' names too: %s is %s", async (alias, shape) => {
    expect(await resultOf(user(), { 'reconcile.shape': alias })).toBe(
      await resultOf(user(), { 'reconcile.shape': shape }),
    )
  })

  test('keep the key of the source record, and its timestamp', async () => {
    const run = await reconcile([record(user(), { key: 'k', timestamp: firstTimestamp })])
    expect(run.topic('reconcile').keys).toEqual(['k'])
    expect(run.topic('reconcile').records[0]?.timestamp).toBe(firstTimestamp)
    expect(run.topic('reconcile').json).toMatchObject([{ ts: firstTimestamp }])
  })
})

describe('the key', () => {
  test('is the bare value for a key of one column, whatever that column is called', async () => {
    expect(await resultOf(customer('"123"'))).toMatch(/^\{"pk":"123",/)
    expect(await resultOf(customer('123'), { 'reconcile.shape': 'single-key' })).toMatch(/^\{"pk":"123",/)
  })

  test('is the object in the order of the table for a composite key', async () => {
    const message = user({ key: '{"region":"us-east","user_id":"123"}' })
    expect(await resultOf(message)).toMatch(/^\{"pk":\{"user_id":"123","region":"us-east"\},/)
  })

  test('names its column in the shapes composite and sql, for version 1 too', async () => {
    for (const shape of ['composite', 'sql']) {
      expect(await resultOf(customer('"123"'), { 'reconcile.shape': shape })).toMatch(
        /^\{"primaryKey":\{"customer_id":"123"\},/,
      )
    }
  })

  test('of version 1 cannot stand for a composite key', async () => {
    const run = await reconcile([customer('"123"').replace('customers', 'users')])
    expect(run.deadLetters).toMatchObject([
      { code: 'key-mismatch', error: expect.stringContaining('user_id, region') as string },
    ])
  })
})

describe('the action', () => {
  const said = versions.flatMap((version) => cases[version].map((one) => ({ version, ...one })))

  test.each(said)('of "$what" ($version) is $action', async ({ value, key, action }) => {
    const run = await reconcile([record(value, { key: key ?? null })])
    expect(run.topic('reconcile').json).toMatchObject([{ action }])
  })

  test.each([
    ['a field that names no column is ignored', '{"name":"alice","nickname":"al"}', 'NONE'],
    ['a column that no field names is not compared', '{}', 'NONE'],
    ['a string of digits equals a number', '{"age":"30"}', 'NONE'],
    ['a number equals no text', '{"name":1}', 'UPDATE'],
    ['a null field equals no value', '{"age":null}', 'UPDATE'],
    ['a payload that is a list equals no row', '[]', 'UPDATE'],
    ['a payload that is a text equals no row', '"alice"', 'UPDATE'],
    ['the last of two equal names counts', '{"age":31,"age":30}', 'NONE'],
  ])('by the rule that %s', async (_rule, payload, action) => {
    expect(JSON.parse(await resultOf(user({ payload })))).toMatchObject({ action })
  })

  test('is NONE for a null field and a null column', async () => {
    expect(JSON.parse(await resultOf(customer('9007199254740993', '{"balance":null}')))).toMatchObject({
      action: 'NONE',
    })
  })

  test('counts the fields that it ignores', async () => {
    const run = await reconcile([user({ payload: '{"nickname":"al"}' })])
    expect(run.tally('ignored-fields')).toBe(1)
  })
})

describe('an emitted payload', () => {
  test.each([
    '9007199254740993',
    '{"b":1,"a":2,"1":3}',
    '"\\u0041\\/"',
    '[ 1.0 ,\n 1e2 ]',
    '{"payload":1,"payload":2}',
    'true',
  ])('is the source text of %s', async (payload) => {
    const result = await resultOf(user({ payload }), { 'reconcile.shape': 'composite' })
    expect(result.endsWith(`"payload":${payload}}`)).toBe(true)
  })

  test('is the last of two', async () => {
    const message = user().replace(/\}$/, ',"payload":[2]}')
    expect((await resultOf(message, { 'reconcile.shape': 'sql' })).endsWith('"payload":[2]}')).toBe(true)
  })

  test('is the row in its canonical encoding in the shape action, null where there is none', async () => {
    expect(await resultOf(user())).toContain(
      '"payload":{"age":30,"name":"alice","region":"us-east","user_id":"123"},"ts"',
    )
    expect(await resultOf(user({ key: '{"user_id":"9","region":"x"}' }))).toContain('"payload":null,"ts"')
  })
})

describe('fingerprints', () => {
  const missing = user({ key: '{"user_id":"9","region":"x"}' })

  test('of a missing row are null by default, or those of no bytes', async () => {
    expect(JSON.parse(await resultOf(missing))).toMatchObject({ cass_hash: null })
    expect(JSON.parse(await resultOf(missing, { 'reconcile.missing.hash': 'empty' }))).toMatchObject({
      cass_hash: sha256(''),
    })
  })

  test('are in upper case by default, or lower', async () => {
    expect(await resultOf(user())).toMatch(/"hash":"[0-9A-F]{64}","cass_hash":"[0-9A-F]{64}"/)
    expect(await resultOf(user(), { 'reconcile.hash.case': 'lower' })).toMatch(/"hash":"[0-9a-f]{64}"/)
  })

  test('of message and row differ where the action is NONE', async () => {
    const result = JSON.parse(await resultOf(user())) as Record<string, unknown>
    expect(result['action']).toBe('NONE')
    expect(result['hash']).not.toBe(result['cass_hash'])
  })

  test('of an error are no hash of nothing: the message is a dead letter', async () => {
    const run = await reconcile([user({ table: 'nobody' })], { 'reconcile.missing.hash': 'empty' })
    expect(run.topic('reconcile').text).toEqual([])
    expect(run.deadLetters.map(({ code }) => code)).toEqual(['unknown-table'])
  })
})

describe('a message that does not decode', () => {
  test.each([
    [user().replace('"ks1"', '7'), 'schema-mismatch', /\/?keyspace.*string/],
    [user().replace(/,"payload".*$/, '}'), 'schema-mismatch', /payload.*JSON value/],
    [user({ key: '"123"' }), 'schema-mismatch', /primaryKey.*object/],
    [`\ufeff${user()}`, 'byte-order-mark', /byte order mark/],
    [user({ payload: `${'['.repeat(257)}${']'.repeat(257)}` }), 'too-deep', /256/],
    [user({ key: '{"user_id":123,"region":"us-east"}' }), 'invalid-value', /ks1\.users\.user_id.*text/],
  ])('is a dead letter that names place and expectation: %.60s', async (message, code, error) => {
    const run = await reconcile([message])
    expect(run.deadLetters).toMatchObject([{ code, originalMessage: message }])
    expect(run.deadLetters[0]?.error).toMatch(error)
  })

  test('may be nested up to json.max.depth', async () => {
    const payload = `${'['.repeat(254)}${']'.repeat(254)}`
    expect(JSON.parse(await resultOf(user({ payload })))).toMatchObject({ action: 'UPDATE' })
  })
})
