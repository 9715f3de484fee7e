import { isRight } from 'fp-ts/lib/Either.js'
import type * as t from 'io-ts'
import { parseStored } from '../../../core/storedJson.ts'
import { TidemarkError } from '../../../core/errors.ts'
import type { LevelDamage } from '../../../leveldb/diskBytes.ts'
import { readLevelEntries } from '../../../leveldb/readLevelEntries.ts'
import type { OffsetSpan } from '../store/recordBatch.ts'
import { affectedKeys, readStoreHead, StoredValues, type StoreHead } from './readStoreHead.ts'
import { storedOffset } from '../store/committedOffsets.ts'
import {
  batchLastOffset,
  displayKey,
  firstContentKey,
  parseBatchKey,
  parseOffsetKey,
  rowKeyDigest,
  rowTableId,
  tagOf,
  type OffsetPlace,
} from '../store/storeKeys.ts'
import { parseStoredDefinition, storedTable } from '../store/tableStore.ts'
import { defaultMaxMessageBytes, maxPartitions } from '../store/topic.ts'
import { storedTopic } from '../store/topicCatalog.ts'
import type { FoundWitness } from './witness.ts'

export interface SurveyedTopic {
  readonly name: string
  readonly id: number
  readonly internal: boolean
  readonly maxMessageBytes: number
  readonly partitions: readonly CoveredRanges[]
}

export interface SurveyedTable {
  readonly id: number
  readonly keyspace: string
  readonly table: string
  readonly definition: string
  readonly rows: number
  /** Known to have been there, and not readable. */
  readonly damagedRows: number
}

export interface SurveyedOffset extends OffsetPlace {
  readonly offset: number
}

/** What a store holds, read without LevelDB: all that is whole, and what can be seen to be missing. */
export interface StoreSurvey extends StoreHead {
  readonly topics: readonly SurveyedTopic[]
  readonly tables: readonly SurveyedTable[]
  readonly offsets: readonly SurveyedOffset[]
  /** The value of an entry as it was before it got its checksum, a batch as it is; null for one that does not count. */
  value(key: Buffer, stored: Buffer, sequence: number): Buffer | null
}

/**
 * Reads everything that is whole in a store, in two passes over its files. Changes nothing. `damages` of the files say which
 * entries may not be the newest.
 *
 * Memory: about 100 bytes a row and 200 a batch, besides what a file takes to be read.
 */
export async function surveyStore(
  directory: string,
  witness: FoundWitness,
  damages: readonly LevelDamage[],
): Promise<StoreSurvey> {
  const head = await readStoreHead(directory, witness, await affectedKeys(directory, damages))
  const newest = new NewestEntries(head)
  if (!head.wiping)
    for await (const { key, value, sequence } of readLevelEntries(directory)) newest.add(key, value, sequence)
  return newest.survey()
}

/** An entry that is neither a batch nor a row; there are few of them. */
interface SmallEntry {
  readonly sequence: number
  readonly key: Buffer
  /** Null: deleted. */
  readonly value: Buffer | null
}

interface BatchEntry extends FoundBatch {
  readonly topicId: number
  readonly partition: number
  readonly state: EntryState
}

/** The batches of a partition that are whole, and how far those that are not say that it went. */
interface FoundPartition {
  readonly batches: FoundBatch[]
  reached: number
}

function rangesOf(found: FoundPartition | undefined): CoveredRanges {
  return coveredRanges(found?.batches ?? [], found?.reached)
}

type EntryState = 'deleted' | 'whole' | 'damaged'
const rowStates: readonly EntryState[] = ['deleted', 'whole', 'damaged']

/** The newest write of each key, whatever the order in which they come. */
class NewestEntries {
  readonly #head: StoreHead
  readonly #values: StoredValues
  readonly #small = new Map<string, SmallEntry>()
  readonly #batches = new Map<string, BatchEntry>()
  /** Sequence and state in one number: there may be millions of rows. */
  readonly #rows = new Map<string, number>()

  constructor(head: StoreHead) {
    this.#head = head
    this.#values = new StoredValues(head)
  }

  add(key: Buffer, value: Buffer | null, sequence: number): void {
    const name = key.toString('latin1')
    switch (tagOf(key)) {
      case 'record':
        if (sequence >= (this.#batches.get(name)?.sequence ?? 0))
          this.#batches.set(name, this.#batch(key, value, sequence))
        return
      case 'row': {
        const packed = sequence * rowStates.length + rowStates.indexOf(this.#rowState(key, value))
        if (packed > (this.#rows.get(name) ?? -1)) this.#rows.set(name, packed)
        return
      }
      default:
        if (Buffer.compare(key, firstContentKey) <= 0) return
        if (sequence >= (this.#small.get(name)?.sequence ?? 0))
          this.#small.set(name, { sequence, key: Buffer.from(key), value: value && Buffer.from(value) })
    }
  }

  survey(): StoreSurvey {
    const said = [...this.#head.damages]
    const topics = this.#topics(said)
    const tables = this.#tables(said)
    const offsets = this.#offsets(said)
    this.#others(said)
    const kept = new Set(topics.flatMap(({ partitions }) => partitions.flatMap(({ batches }) => [...batches])))
    const value: StoreSurvey['value'] = (key, stored, sequence) => this.#value(key, stored, sequence, kept)
    return { ...this.#head, topics, tables, offsets, damages: said, value }
  }

  #batch(key: Buffer, value: Buffer | null, sequence: number): BatchEntry {
    const place = { ...parseBatchKey(key), sequence }
    const lastOffset = batchLastOffset(key)
    const nothing = { ...place, first: lastOffset, last: lastOffset, isLost: false }
    if (value === null) return { ...nothing, state: 'deleted' }
    const batch = this.#values.batch(key, value)
    if (batch === null) return { ...nothing, state: 'damaged' }
    return { ...place, ...batch.range, isLost: batch.isLost, state: 'whole' }
  }

  #rowState(key: Buffer, value: Buffer | null): EntryState {
    if (value === null) return 'deleted'
    return this.#values.row(key, value) === null ? 'damaged' : 'whole'
  }

  #open({ key, value }: SmallEntry): Buffer | null {
    return value === null ? null : this.#values.entry(key, value)
  }

  /** Entries of one sort that are there, decoded; one that is not what was written is said to be damaged. */
  *#decoded<A>(tag: string, codec: t.Decoder<unknown, A>, said: string[]): Generator<readonly [Buffer, A]> {
    for (const entry of this.#small.values()) {
      if (tagOf(entry.key) !== tag || entry.value === null) continue
      const opened = this.#open(entry)
      const decoded = codec.decode(opened === null ? undefined : parseStored(opened))
      if (isRight(decoded)) yield [entry.key, decoded.right]
      else said.push(`${displayKey(entry.key)} is damaged`)
    }
  }

  #topics(said: string[]): readonly SurveyedTopic[] {
    const byTopic = new Map<number, FoundPartition[]>()
    const damaged: BatchEntry[] = []
    for (const batch of this.#batches.values()) {
      if (batch.state === 'deleted') continue
      const partitions = byTopic.get(batch.topicId) ?? []
      byTopic.set(batch.topicId, partitions)
      if (batch.state === 'damaged') damaged.push(batch)
      // A number out of bounds is none of ours; what it is of cannot be told.
      if (batch.partition >= maxPartitions) continue
      const found = (partitions[batch.partition] ??= { batches: [], reached: 0 })
      if (batch.state === 'whole') found.batches.push(batch)
      else if (batch.last < Number.MAX_SAFE_INTEGER) found.reached = Math.max(found.reached, batch.last + 1)
    }
    const topics: SurveyedTopic[] = []
    for (const [, { id, name, internal, maxMessageBytes, partitions: count }] of this.#decoded(
      'topic',
      storedTopic,
      said,
    )) {
      const found = byTopic.get(id) ?? []
      byTopic.delete(id)
      const length = Math.min(Math.max(count, found.length), maxPartitions)
      const partitions = Array.from({ length }, (_, partition) => rangesOf(found[partition]))
      topics.push({ id, name, internal, maxMessageBytes, partitions })
      for (const [partition, { missing }] of partitions.entries()) {
        // Compaction of format 1 left gaps.
        if (internal && this.#head.format === '1') continue
        for (const { first, last } of missing) {
          said.push(
            `topic ${name}, partition ${String(partition)}: offsets ${String(first)} to ${String(last)} are missing`,
          )
        }
      }
    }
    for (const [id, found] of byTopic) {
      if (found.length === 0) continue
      const name = `salvaged-topic-${String(id)}`
      said.push(`topic number ${String(id)}: its settings are missing, and its records are there`)
      const partitions = Array.from(found, rangesOf)
      topics.push({ id, name, internal: false, maxMessageBytes: defaultMaxMessageBytes, partitions })
    }
    for (const { topicId, partition, last } of damaged) {
      const name = topics.find(({ id }) => id === topicId)?.name ?? `number ${String(topicId)}`
      said.push(
        `topic ${name}, partition ${String(partition)}: the batch that ends with offset ${String(last)} is damaged`,
      )
    }
    return topics.toSorted((a, b) => (a.name < b.name ? -1 : 1))
  }

  #tables(said: string[]): readonly SurveyedTable[] {
    const whole = new Map<number, number>()
    const damaged = new Map<number, { rows: number; readonly firstKey: Buffer }>()
    for (const [name, packed] of this.#rows) {
      const key = Buffer.from(name, 'latin1')
      const id = rowTableId(key)
      const state = rowStates[packed % rowStates.length]
      if (state === 'whole') whole.set(id, (whole.get(id) ?? 0) + 1)
      if (state !== 'damaged') continue
      const known = damaged.get(id)
      if (known === undefined) damaged.set(id, { rows: 1, firstKey: key })
      else known.rows += 1
    }
    const tables: SurveyedTable[] = []
    for (const [key, { id, definition }] of this.#decoded('table', storedTable, said)) {
      try {
        const { keyspace, table } = parseStoredDefinition(definition)
        const known = damaged.get(id)
        tables.push({ id, keyspace, table, definition, rows: whole.get(id) ?? 0, damagedRows: known?.rows ?? 0 })
        if (known !== undefined) {
          said.push(
            `table ${keyspace}.${table}: ${String(known.rows)} rows are damaged (sha256 of the first one's key begins with ${rowKeyDigest(known.firstKey)})`,
          )
        }
        whole.delete(id)
        damaged.delete(id)
      } catch (error) {
        if (!(error instanceof TidemarkError)) throw error
        said.push(`${displayKey(key)} is damaged`)
      }
    }
    for (const id of new Set([...whole.keys(), ...damaged.keys()])) {
      const rows = (whole.get(id) ?? 0) + (damaged.get(id)?.rows ?? 0)
      said.push(`table number ${String(id)}: its definition is missing, and ${String(rows)} of its rows are there`)
    }
    return tables.toSorted((a, b) => (`${a.keyspace}.${a.table}` < `${b.keyspace}.${b.table}` ? -1 : 1))
  }

  #offsets(said: string[]): readonly SurveyedOffset[] {
    return [...this.#decoded('offset', storedOffset, said)].map(([key, { offset }]) => ({
      ...parseOffsetKey(key),
      offset,
    }))
  }

  /** Entries of which only the checksum tells. */
  #others(said: string[]): void {
    for (const entry of this.#small.values()) {
      const tag = tagOf(entry.key)
      const isKnown = tag === 'topic' || tag === 'table' || tag === 'offset'
      if (isKnown || entry.value === null) continue
      if (tag === null) said.push('an entry of an unknown sort')
      else if (this.#open(entry) === null) said.push(`${displayKey(entry.key)} is damaged`)
    }
  }

  #value(key: Buffer, stored: Buffer, sequence: number, kept: ReadonlySet<FoundBatch>): Buffer | null {
    const name = key.toString('latin1')
    switch (tagOf(key)) {
      case 'record': {
        const batch = this.#batches.get(name)
        return batch?.sequence === sequence && kept.has(batch) ? stored : null
      }
      case 'row': {
        const packed = sequence * rowStates.length + rowStates.indexOf('whole')
        const text = this.#rows.get(name) === packed ? this.#values.row(key, stored) : null
        return text === null ? null : Buffer.from(text)
      }
      default: {
        const entry = this.#small.get(name)
        return entry?.sequence === sequence && tagOf(key) !== null ? this.#open(entry) : null
      }
    }
  }
}

/** A batch that is whole, and the number of the write that stored it. */
interface FoundBatch extends OffsetSpan {
  readonly sequence: number
  /** Its records were lost before: the store is a copy of a damaged one. */
  readonly isLost: boolean
}

/** What is there of a partition. */
export interface CoveredRanges {
  /** In the order of their offsets; none covers what another does. */
  readonly batches: readonly FoundBatch[]
  /** Between them, before the first, and where one that cannot be read was the last. */
  readonly missing: readonly OffsetSpan[]
  /** Behind the last. */
  readonly end: number
}

/**
 * Which batches of a partition count. Of two that cover the same offsets it is the one that was written later: compaction
 * has given it the range of the other, and that the other was deleted may be what was lost. `reached`: where the partition
 * ended at least, by batches that are there and cannot be read.
 */
export function coveredRanges(found: readonly FoundBatch[], reached = 0): CoveredRanges {
  const batches: FoundBatch[] = []
  for (const batch of found.toSorted((a, b) => a.last - b.last || a.sequence - b.sequence)) {
    let before = batches.length
    let isOlder = false
    for (; !isOlder && (batches[before - 1]?.last ?? -1) >= batch.first; before -= 1) {
      isOlder = (batches[before - 1]?.sequence ?? 0) > batch.sequence
    }
    if (isOlder) continue
    batches.length = before
    batches.push(batch)
  }
  const missing: OffsetSpan[] = []
  let next = 0
  for (const { first, last } of batches) {
    if (first > next) missing.push({ first: next, last: first - 1 })
    next = last + 1
  }
  if (next >= reached) return { batches, missing, end: next }
  return { batches, missing: [...missing, { first: next, last: reached - 1 }], end: reached }
}
