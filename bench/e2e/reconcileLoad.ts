import type { OutputRecord } from '../../src/core/record.ts'

/** What one run is given: messages by number, over a fixed set of rows. */
export const load = { rows: 20_000, users: 200, regions: 100, messageBytes: 160, everyMiss: 11 } as const

const keyspace = 'bench'
const table = 'users'
const note = 'n'.repeat(110)

/** CQL that makes the table anew and fills it. A batch is one partition, so it is one write. */
export function tableStatements(): readonly string[] {
  const batches = Array.from({ length: load.users }, (_, user) => {
    const inserts = Array.from({ length: load.regions }, (_unused, region) => {
      const { name, age } = payloadOf(user, region)
      return `INSERT INTO ${keyspace}.${table} (user_id, region, name, age, note) VALUES ('${userId(user)}', '${regionId(region)}', '${name}', ${String(age)}, '${note}');`
    })
    return `BEGIN UNLOGGED BATCH ${inserts.join(' ')} APPLY BATCH`
  })
  return [
    `CREATE KEYSPACE IF NOT EXISTS ${keyspace} WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}`,
    `CREATE TABLE IF NOT EXISTS ${keyspace}.${table} (user_id text, region text, name text, age int, note text, PRIMARY KEY ((user_id), region))`,
    ...batches,
  ]
}

/**
 * A message, keyed by user, so that all of one user's are in one partition. The rows come in an order that has nothing to
 * do with that of the table; every eleventh message has none, every seventh differs from its row.
 */
export function message(topic: string, index: number, timestamp: number): OutputRecord {
  const row = (index * 7919) % load.rows
  const user = row % load.users
  const region = Math.floor(row / load.users)
  const regionName = index % load.everyMiss === 0 ? `no-${twoDigits(region)}` : regionId(region)
  const { name, age } = payloadOf(user, region)
  const payload = `{"name":"${name}","age":${String(index % 7 === 0 ? age + 1 : age)}}`
  const value = `{"keyspace":"${keyspace}","tableName":"${table}","primaryKey":{"user_id":"${userId(user)}","region":"${regionName}"},"payload":${payload}}`
  return {
    topic,
    partition: null,
    key: Buffer.from(userId(user)),
    value: Buffer.from(value),
    headers: [],
    timestamp,
  }
}

/** How many of the first `records` messages have no row. */
export function missesIn(records: number): number {
  return Math.ceil(records / load.everyMiss)
}

function payloadOf(user: number, region: number): { readonly name: string; readonly age: number } {
  // As long as a message of 160 bytes needs it.
  return { name: `user ${String(user)} of ${String(region)} `.padEnd(31, '.'), age: 10 + ((user + region) % 80) }
}

function userId(user: number): string {
  return `user-${String(user).padStart(3, '0')}`
}

function regionId(region: number): string {
  return `eu-${twoDigits(region)}`
}

function twoDigits(value: number): string {
  return String(value).padStart(2, '0')
}
