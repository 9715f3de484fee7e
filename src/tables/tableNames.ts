import { TidemarkError } from '../core/errors.ts'

const shownName = 60

/** Any keyspace whose name begins like Cassandra's own ones, in any case. */
export function isSystemKeyspace(keyspace: string): boolean {
  return /^system/i.test(keyspace)
}

/** What a message that names a system keyspace gets, in every world. */
export function forbiddenKeyspace(keyspace: string): TidemarkError {
  return new TidemarkError(
    'forbidden-keyspace',
    `Keyspace ${displayName(keyspace)} is a system keyspace: messages may not read it`,
  )
}

/** What a message that names no table gets, in every world. */
export function unknownTable(keyspace: string, table: string): TidemarkError {
  return new TidemarkError('unknown-table', `There is no table ${displayName(keyspace)}.${displayName(table)}`)
}

/** A name that came from a message: cut, and escaped where it holds more than word characters. */
export function displayName(name: string): string {
  const cut = name.length > shownName ? `${name.slice(0, shownName)}…` : name
  return /^[\w.-]+$/.test(cut) ? cut : JSON.stringify(cut)
}
