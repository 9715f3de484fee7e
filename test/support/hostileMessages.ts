/** Input values that break naive consumers, each with the code of the dead letter it must become, or null for an output. */
export interface HostileMessage {
  readonly what: string
  readonly key?: Buffer | null
  readonly value: Buffer | null
  readonly code: string | null
}

const request = (members: string): Buffer => Buffer.from(`{"keyspace":"ks1",${members}}`)

const users = (key: string, payload = '{"name":"alice"}'): Buffer =>
  request(`"tableName":"users","primaryKey":${key},"payload":${payload}`)

const good = '{"user_id":"123","region":"us-east"}'

export const usersTable = {
  keyspace: 'ks1',
  table: 'users',
  columns: { user_id: 'text', region: 'text', name: 'text', age: 'int' },
  primaryKey: [['user_id'], ['region']],
  rows: [{ user_id: '123', region: 'us-east', name: 'alice', age: 30 }],
}

export const accountsTable = {
  keyspace: 'ks1',
  table: 'accounts',
  columns: { id: 'bigint', name: 'text' },
  primaryKey: [['id'], []],
  rows: [{ id: '9007199254740993', name: 'beyond doubles' }],
}

const accounts = (pk: string, payload = '{"name":"beyond doubles"}'): Buffer =>
  request(`"tableName":"accounts","pk":${pk},"payload":${payload}`)

export const hostileMessages: readonly HostileMessage[] = [
  { what: 'a good message', value: users(good), code: null },
  { what: 'malformed JSON', value: Buffer.from('{"keyspace":'), code: 'malformed-json' },
  { what: 'an empty value', value: Buffer.alloc(0), code: 'empty-value' },
  { what: 'a huge payload of 10 MB', value: users(good, JSON.stringify('x'.repeat(10_000_000))), code: null },
  { what: '10 MB of garbage', value: Buffer.alloc(10_000_000, '{'), code: 'too-deep' },
  {
    what: 'a byte order mark',
    value: Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), users(good)]),
    code: 'byte-order-mark',
  },
  { what: 'invalid UTF-8', value: Buffer.concat([users(good), Buffer.from([0xff])]), code: 'invalid-utf8' },
  { what: 'a lone surrogate', value: users(good, String.raw`{"name":"\ud800"}`), code: 'malformed-json' },
  { what: 'depth 1,000,000', value: users(good, '['.repeat(1_000_000) + ']'.repeat(1_000_000)), code: 'too-deep' },
  { what: 'depth 1,000,000 of objects', value: Buffer.from('{"a":'.repeat(1_000_000)), code: 'too-deep' },
  {
    what: 'duplicate keys, the last of which is good',
    value: users(`"no",${good.slice(0, 0)}"primaryKey":${good}`),
    code: null,
  },
  {
    what: 'a __proto__ member in the payload',
    value: users(good, '{"__proto__":{"name":"x"},"name":"alice"}'),
    code: null,
  },
  {
    what: 'a __proto__ member in the key',
    value: users('{"__proto__":"123","region":"us-east"}'),
    code: 'key-mismatch',
  },
  {
    what: 'a constructor member in the key',
    value: users('{"constructor":"123","region":"us-east"}'),
    code: 'key-mismatch',
  },
  {
    what: 'a table named __proto__',
    value: request(`"tableName":"__proto__","primaryKey":${good},"payload":1`),
    code: 'unknown-table',
  },
  { what: 'a bigint beyond 2^53 as a number', value: accounts('9007199254740993'), code: null },
  { what: 'a bigint beyond 2^53 as digits', value: accounts('"9007199254740993"'), code: null },
  { what: 'a bigint beyond 2^63', value: accounts('9223372036854775808'), code: 'invalid-value' },
  { what: 'a float where an integer is needed', value: accounts('1.0'), code: 'invalid-value' },
  { what: 'a missing key part', value: users('{"user_id":"123"}'), code: 'key-mismatch' },
  { what: 'an extra key part', value: users('{"user_id":"123","region":"us-east","x":1}'), code: 'key-mismatch' },
  { what: 'a null key part', value: users('{"user_id":"123","region":null}'), code: 'key-mismatch' },
  { what: 'an array as key part', value: users('{"user_id":["123"],"region":"us-east"}'), code: 'invalid-value' },
  { what: 'an object as key part', value: users('{"user_id":{"$ne":1},"region":"us-east"}'), code: 'invalid-value' },
  { what: 'an array as key', value: users('["123","us-east"]'), code: 'schema-mismatch' },
  {
    what: 'an empty string as partition key',
    value: users('{"user_id":"","region":"us-east"}'),
    code: 'invalid-value',
  },
  { what: 'an empty string as clustering key', value: users('{"user_id":"123","region":""}'), code: null },
  { what: 'a number for a text column', value: users('{"user_id":123,"region":"us-east"}'), code: 'invalid-value' },
  {
    what: 'a system keyspace',
    value: Buffer.from(`{"keyspace":"system_auth","tableName":"roles","primaryKey":{"role":"x"},"payload":1}`),
    code: 'forbidden-keyspace',
  },
  {
    what: 'a table with a quote and a semicolon',
    value: request(`"tableName":"users\\"; DROP TABLE users; --","primaryKey":${good},"payload":1`),
    code: 'unknown-table',
  },
  {
    what: 'a table with a newline',
    value: request(`"tableName":"users\\n","primaryKey":${good},"payload":1`),
    code: 'unknown-table',
  },
  { what: 'a missing payload', value: request(`"tableName":"users","primaryKey":${good}`), code: 'schema-mismatch' },
  {
    what: 'a bare pk for a composite key',
    value: request('"tableName":"users","pk":"123","payload":1'),
    code: 'key-mismatch',
  },
  {
    what: 'a tombstone with a JSON key',
    key: Buffer.from(`{"keyspace":"ks1","tableName":"users","primaryKey":${good}}`),
    value: null,
    code: null,
  },
  { what: 'a tombstone without a key', key: null, value: null, code: 'tombstone-without-key' },
  {
    what: 'a tombstone with a key that is no JSON',
    key: Buffer.from('123'),
    value: null,
    code: 'tombstone-without-key',
  },
  { what: 'a null key', key: null, value: users(good), code: null },
  { what: 'a last good message', value: users(good), code: null },
]
