/** A message that cannot be reconciled, and the code of the dead letter that it becomes. */
export interface BadMessage {
  readonly code: string
  /** Made for the n-th message of the sample. */
  make(n: number): { readonly key: string | null; readonly value: string | Buffer | null }
}

const user = (n: number): string => String(123 + (n % 90))
const key = (n: number): string => `ks1.users/${user(n)}/us-east`
const payload = '{"name":"alice","age":30}'

function bad(code: string, value: (n: number) => string | Buffer): BadMessage {
  return { code, make: (n) => ({ key: key(n), value: value(n) }) }
}

/** A message of the first version; all but the named parts as they should be. */
function single(code: string, keyspace: string, table: string, pk: string): BadMessage {
  return bad(code, () => `{"keyspace":${keyspace},"tableName":${table},"pk":${pk},"payload":${payload}}`)
}

/** A message of the second version about ks1.users. */
function composite(code: string, primaryKey: (n: number) => string): BadMessage {
  return bad(code, (n) => `{"keyspace":"ks1","tableName":"users","primaryKey":${primaryKey(n)},"payload":${payload}}`)
}

function tombstone(messageKey: (n: number) => string | null): BadMessage {
  return { code: 'tombstone-without-key', make: (n) => ({ key: messageKey(n), value: null }) }
}

const good = (n: number): string =>
  `{"keyspace":"ks1","tableName":"users","primaryKey":{"user_id":"${user(n)}","region":"us-east"},"payload":${payload}}`

/** Every kind of bad message, mixed so that no stretch of the sample has one kind only. */
export const badMessages: readonly BadMessage[] = [
  bad('malformed-json', (n) => good(n).slice(0, 70)),
  composite('key-mismatch', (n) => `{"user_id":"${user(n)}"}`),
  single('unknown-table', '"ks1"', '"usres"', '"123"'),
  bad('empty-value', () => ''),
  single('invalid-value', '"ks1"', '"customers"', '"12a"'),
  tombstone((n) => key(n)),
  bad('schema-mismatch', (n) => `{"keyspace":"ks1","tableName":"customers","pk":"${user(n)}"}`),
  single('forbidden-keyspace', '"system_auth"', '"roles"', '"cassandra"'),
  bad('byte-order-mark', (n) => `\ufeff${good(n)}`),
  composite('invalid-value', (n) => `{"user_id":${user(n)},"region":"us-east"}`),
  bad('malformed-json', (n) => good(n).replaceAll('"', "'")),
  single('unknown-table', '"ks1"', '"users; DROP TABLE users; --"', '"1"'),
  composite('key-mismatch', (n) => `{"user_id":"${user(n)}","region":null}`),
  bad('invalid-utf8', (n) => Buffer.from(good(n).replace('alice', 'Zoë'), 'latin1')),
  single('invalid-value', '"ks1"', '"customers"', '123.5'),
  single('key-mismatch', '"ks1"', '"users"', '"123"'),
  bad('schema-mismatch', (n) => `[${good(n)}]`),
  bad('too-deep', (n) => good(n).replace(payload, `${'['.repeat(300)}${']'.repeat(300)}`)),
  single('unknown-table', '"ks2"', '"customers"', '"123"'),
  tombstone(() => null),
  composite('key-mismatch', (n) => `{"user_id":"${user(n)}","region":"us-east","tenant":"t1"}`),
  bad('malformed-json', (n) => good(n).replace('alice', '\\ud83d')),
  single('invalid-value', '"ks1"', '"customers"', '2147483648'),
  single('schema-mismatch', '"ks1"', 'null', '"123"'),
  single('unknown-table', '"ks1"', String.raw`"users\" ALLOW FILTERING"`, '"1"'),
  composite('invalid-value', () => '{"user_id":"","region":"us-east"}'),
  bad('malformed-json', (n) => good(n).replace('30', 'NaN')),
  single('forbidden-keyspace', '"system_schema"', '"tables"', '"ks1"'),
  bad('schema-mismatch', () => 'null'),
  single('invalid-value', '"shop"', '"orders"', '9223372036854775808'),
  composite('key-mismatch', (n) => `{"userId":"${user(n)}","region":"us-east"}`),
  bad('malformed-json', (n) => `${good(n)}\n${good(n + 1)}`),
  single('unknown-table', '"ks1"', String.raw`"users\n--"`, '"1"'),
  single('invalid-value', '"shop"', '"devices"', '"not-a-uuid"'),
  bad(
    'schema-mismatch',
    (n) => `{"keyspace":"ks1","tableName":"users","primaryKey":["${user(n)}","us-east"],"payload":{}}`,
  ),
  tombstone((n) => `{"keyspace":"ks1","primaryKey":{"user_id":"${user(n)}","region":"us-east"}}`),
  bad('malformed-json', () => 'ping'),
  single('unknown-table', '"constructor"', '"__proto__"', '"1"'),
  bad(
    'invalid-value',
    () =>
      '{"keyspace":"shop","tableName":"readings","primaryKey":{"sensor":"sensor-001","at":"yesterday"},"payload":{}}',
  ),
  bad('schema-mismatch', (n) => `{"keyspace":"ks1","tableName":"users","payload":${payload},"id":"${user(n)}"}`),
  composite('invalid-value', (n) => `{"user_id":["${user(n)}"],"region":{"name":"us-east"}}`),
  single('invalid-value', '"ks1"', '"customers"', '{"id":123}'),
]
