import { isDeepStrictEqual } from 'node:util'
import type { EmbeddedStore } from '../../../src/connectors/embedded/store/embeddedStore.ts'
import { TidemarkError } from '../../../src/core/errors.ts'

/** What a reader of a store can come by, as texts. */
export interface StoreContent {
  /** By topic, partition and offset. */
  readonly records: ReadonlyMap<string, string>
  /** By topic and partition. */
  readonly ends: ReadonlyMap<string, number>
  /** Offsets of whose loss a reader is told, as `records` names them. */
  readonly lost: ReadonlySet<string>
  /** Topics that nobody has compacted, so that an offset without a record is a loss. */
  readonly topics: ReadonlySet<string>
  /** By topic and partition. */
  readonly positions: ReadonlyMap<string, number>
  /** By table. */
  readonly rows: ReadonlyMap<string, readonly string[]>
  /** What a restore makes of each internal partition, by topic and partition. */
  readonly states: ReadonlyMap<string, ReadonlyMap<string, string>>
}

/** Reads everything, also what is behind ranges that are said to be lost. */
export async function readableContent(store: EmbeddedStore): Promise<StoreContent> {
  const records = new Map<string, string>()
  const ends = new Map<string, number>()
  const lost = new Set<string>()
  const topics = new Set<string>()
  const states = new Map<string, Map<string, string>>()
  for (const { name: topic, internal, endOffsets } of await store.listTopics({ internal: true })) {
    if (!internal) topics.add(topic)
    for (const [partition, end] of endOffsets.entries()) {
      ends.set(`${topic} ${String(partition)}`, end)
      for (let from = 0; from < end;) {
        try {
          const page = await store.readPage({ topic, partition, from, limit: 10 })
          for (const { offset, key, raw, timestamp } of page.records) {
            if (internal) put(states, `${topic} ${String(partition)}`, String(key), raw)
            const text = JSON.stringify([key?.toString('latin1'), raw?.toString('latin1'), timestamp])
            records.set(`${topic} ${String(partition)} ${String(offset)}`, text)
          }
          from = page.next
        } catch (error) {
          if (!(error instanceof TidemarkError) || error.code !== 'data-removed') throw error
          const { offset, until } = error.details
          const stop = Number(until)
          for (let at = Math.max(from, Number(offset)); at < stop; at += 1)
            lost.add(`${topic} ${String(partition)} ${String(at)}`)
          // What is whole before it, which is less than a page.
          for (let at = from; at < Number(offset); at += 1) {
            const page = await store.readPage({ topic, partition, from: at, limit: 1 })
            for (const { offset: place, key, raw, timestamp } of page.records) {
              const text = JSON.stringify([key?.toString('latin1'), raw?.toString('latin1'), timestamp])
              records.set(`${topic} ${String(partition)} ${String(place)}`, text)
            }
          }
          from = stop
        }
      }
    }
  }
  const positions = new Map<string, number>()
  for (const { topic, partition, offset } of await store.committedOffsets('group')) {
    positions.set(`${topic} ${String(partition)}`, offset)
  }
  const rows = new Map<string, readonly string[]>()
  for (const { keyspace, table } of await store.listTables()) {
    rows.set(table, (await store.readTable(keyspace, table, { after: null, limit: 10_000 })).rows)
  }
  return { records, ends, lost, topics, positions, rows, states }
}

/** Every row that each table has ever held is collected here, by table. */
export async function collectRows(store: EmbeddedStore, written: Map<string, Set<string>>): Promise<void> {
  for (const { keyspace, table } of await store.listTables()) {
    const rows = written.get(table) ?? new Set()
    written.set(table, rows)
    for (const row of (await store.readTable(keyspace, table, { after: null, limit: 10_000 })).rows) rows.add(row)
  }
}

function put(states: Map<string, Map<string, string>>, place: string, key: string, value: Buffer | null): void {
  const state = states.get(place) ?? new Map<string, string>()
  states.set(place, state)
  if (value === null) state.delete(key)
  else state.set(key, value.toString('latin1'))
}

/** What a store held when it was whole, and all rows that each table has ever held. */
export interface Written {
  readonly content: StoreContent
  readonly rows: ReadonlyMap<string, ReadonlySet<string>>
}

/** What is wrong with a copy; null: it holds only what was written, and leaves out nothing without saying so. */
export function missingFrom({ content: original, rows: written }: Written, copy: StoreContent): string | null {
  for (const [place, state] of copy.states) {
    // A part of a state, or an older one, would be taken for the whole.
    if (state.size > 0 && !isDeepStrictEqual(state, original.states.get(place))) return `${place} is another state`
    if ((copy.ends.get(place) ?? 0) > (original.ends.get(place) ?? 0)) return `${place} is longer than it was`
  }
  for (const [place, text] of copy.records) {
    if (place.startsWith('salvaged-topic-')) continue
    if (original.records.get(place) !== text && original.ends.has(place.slice(0, place.lastIndexOf(' ')))) {
      // A changelog that was compacted had more before.
      if (original.topics.has(place.slice(0, place.indexOf(' ')))) return `${place} was never written so`
    }
  }
  for (const [place, end] of copy.ends) {
    const [topic = ''] = place.split(' ')
    if (!original.topics.has(topic)) continue
    if (end > (original.ends.get(place) ?? 0)) return `${place} is longer than it was`
    for (let offset = 0; offset < end; offset += 1) {
      const name = `${place} ${String(offset)}`
      if (!copy.records.has(name) && !copy.lost.has(name)) return `${name} is left out without a word`
    }
  }
  for (const [place, offset] of copy.positions) {
    if (offset > (original.positions.get(place) ?? -1)) return `the position in ${place} was never committed`
    if (offset > (copy.ends.get(place) ?? 0)) return `the position in ${place} is behind its end`
  }
  for (const [table, rows] of copy.rows) {
    const found = original.rows.get(table)
    if (found !== undefined && JSON.stringify(found) !== JSON.stringify(rows))
      return `table ${table} is not what it was`
    const ever = written.get(table.replace(/(_salvaged)+$/, ''))
    if (rows.some((row) => ever?.has(row) !== true)) return `table ${table} has a row that was never written`
  }
  return null
}
