import type { Random } from '../../../core/ports/random.ts'
import { readLevelEntries } from '../../../leveldb/readLevelEntries.ts'
import type { ValueSeal } from '../../../leveldb/valueSeal.ts'
import { affectedKeys, isAffected, type AffectedKeys } from './readStoreHead.ts'
import {
  coveredRanges,
  type CoveredRanges,
  type StoreSurvey,
  type SurveyedTable,
  type SurveyedTopic,
} from './surveyStore.ts'
import type { StoreInspection } from './verifyStore.ts'
import { openLevelStorage } from '../store/levelStorage.ts'
import { encodeLostRange, encodeRecordBatch, placeBatch, replaceBatch, type OffsetSpan } from '../store/recordBatch.ts'
import { SealedStorage, type Storage, type StorageOperation } from '../store/storage.ts'
import { beginWiping, endWiping, openFormat } from '../store/storeFormat.ts'
import {
  batchKey,
  parseBatchKey,
  rowTableId,
  rowsRange,
  tableKey,
  tagOf,
  tagRange,
  topicKey,
} from '../store/storeKeys.ts'
import { defaultMaxMessageBytes, maxPartitions } from '../store/topic.ts'

/** One write. */
const writeBytes = 1024 * 1024
const writeEntries = 1_000

/** One partition of the copy. */
export interface SalvagedPartition {
  readonly topic: string
  readonly partition: number
  /** Of the copy. */
  readonly end: number
  /** Offsets whose records are lost; whoever reads up to them is told so. */
  readonly lost: readonly OffsetSpan[]
  /** A changelog of which anything may be missing: nothing of it was copied, because a part of a state is none. */
  readonly emptied: boolean
  /** Records behind the end may be missing without a trace. */
  readonly mayBeShorter: boolean
}

/** One table of the copy. */
export interface SalvagedTable {
  readonly keyspace: string
  readonly table: string
  /** Under which name it stands in the copy: another one where rows may be missing. */
  readonly copiedAs: string
  readonly rows: number
  /** Known to have been there, and not readable. */
  readonly damagedRows: number
}

export interface SalvageReport {
  readonly partitions: readonly SalvagedPartition[]
  readonly tables: readonly SalvagedTable[]
  readonly offsets: number
  /** Committed positions and control records may be missing, or older than they were. */
  readonly positionsMayBeOlder: boolean
  /** Topics or tables may be missing altogether, because what names them is among what is damaged. */
  readonly namesMayBeMissing: boolean
}

/**
 * Copies all that is whole of a store into a new one. Offsets keep their meaning: where records are missing the copy says so
 * to whoever reads there. A changelog of which anything may be missing is copied empty, and a table of which rows may be missing
 * under another name, so that no job takes a part for the whole. A crash leaves an empty store.
 *
 * Memory: what `surveyStore` takes, and 1 MiB.
 */
export async function salvageStore(
  from: string,
  inspection: StoreInspection,
  to: string,
  random: Random,
): Promise<SalvageReport> {
  const { survey } = inspection
  const isDamaged = inspection.fileDamages.length > 0 || survey.damages.length > 0
  const affected = await affectedKeys(from, inspection.fileDamages)
  const storage = await openLevelStorage(to)
  try {
    const identity = await openFormat(storage, { directory: to, random, note: () => undefined })
    const sealed = new SealedStorage(storage, identity.seal)
    const copy = new SalvagedCopy(sealed, identity.seal, survey, { affected, isDamaged })
    await beginWiping(sealed, 'a store is being salvaged')
    for await (const { key, value, sequence } of readLevelEntries(from)) {
      const found = value === null ? null : survey.value(key, value, sequence)
      if (found !== null) await copy.take(key, found)
    }
    const report = await copy.finish()
    await endWiping(sealed)
    return report
  } finally {
    await storage.close()
  }
}

interface Doubt {
  readonly affected: AffectedKeys
  readonly isDamaged: boolean
}

class SalvagedCopy {
  readonly #storage: Storage
  readonly #seal: ValueSeal
  readonly #survey: StoreSurvey
  readonly #topics: readonly SurveyedTopic[]
  readonly #partitions: readonly (SalvagedPartition & {
    readonly topicId: number
    readonly empty: readonly OffsetSpan[]
  })[]
  readonly #emptied: ReadonlySet<string>
  readonly #tables: readonly (SalvagedTable & { readonly source: SurveyedTable })[]
  readonly #tableIds: ReadonlySet<number>
  readonly #doubt: Doubt
  #operations: StorageOperation[] = []
  #bytes = 0

  constructor(storage: Storage, seal: ValueSeal, survey: StoreSurvey, doubt: Doubt) {
    this.#storage = storage
    this.#seal = seal
    this.#survey = survey
    this.#doubt = doubt
    this.#topics = [...survey.topics, ...committedTopics(survey)]
    this.#partitions = this.#topics.flatMap((topic) =>
      topic.partitions.map((ranges, partition) => this.#partition(topic, partition, ranges)),
    )
    this.#emptied = new Set(
      this.#partitions.filter(({ emptied }) => emptied).map(({ topicId, partition }) => placeName(topicId, partition)),
    )
    this.#tables = this.#renamed(survey.tables)
    this.#tableIds = new Set(survey.tables.map(({ id }) => id))
  }

  async take(key: Buffer, value: Buffer): Promise<void> {
    switch (tagOf(key)) {
      case 'record': {
        if (this.#emptied.has(placeOf(key))) return
        const mark = this.#survey.seal?.ofKey(key) ?? 0
        return this.#put(key, replaceBatch(value, mark, this.#seal.ofKey(key)))
      }
      case 'row':
        // Without its definition nobody can tell what it means.
        return this.#tableIds.has(rowTableId(key))
          ? this.#put(key, this.#seal.sealText(key, value.toString()))
          : undefined
      case 'cleaned':
        return this.#emptied.has(placeOf(key)) ? undefined : this.#put(key, value)
      case 'offset':
      case 'control':
        return this.#put(key, value)
      case 'topic':
      case 'table':
      case null:
        // Written by what is known of all of them.
        return undefined
    }
  }

  async finish(): Promise<SalvageReport> {
    for (const topic of this.#topics) await this.#putTopic(topic)
    for (const { source, copiedAs } of this.#tables) await this.#putTable(source, copiedAs)
    for (const { topicId, partition, lost, empty } of this.#partitions) {
      for (const range of empty) {
        const key = batchKey(topicId, partition, range.last)
        await this.#put(key, placeBatch(encodeRecordBatch(range, []), this.#seal.ofKey(key)))
      }
      for (const range of lost) {
        const key = batchKey(topicId, partition, range.last)
        await this.#put(key, encodeLostRange(range, this.#seal.ofKey(key)))
      }
    }
    await this.#flush()
    const { affected } = this.#doubt
    return {
      partitions: this.#partitions,
      tables: this.#tables,
      offsets: this.#survey.offsets.length,
      positionsMayBeOlder: isAffected(affected, tagRange('offset')) || isAffected(affected, tagRange('control')),
      namesMayBeMissing: isAffected(affected, tagRange('topic')) || isAffected(affected, tagRange('table')),
    }
  }

  #partition(topic: SurveyedTopic, partition: number, { missing, end }: CoveredRanges) {
    const { name, id: topicId, internal } = topic
    const { affected, isDamaged } = this.#doubt
    const to = batchKey(topicId, partition, Number.MAX_SAFE_INTEGER)
    // Compaction writes batches anew without what a later one supersedes: where a later one may be lost, an older one stands in
    // its place without a gap, and brings back what was deleted.
    const isDoubtful = isAffected(affected, { from: batchKey(topicId, partition, 0), to })
    const emptied = internal && (isDoubtful || (missing.length > 0 && isDamaged))
    const place = { topic: name, topicId, partition, emptied }
    const mayBeShorter = isAffected(affected, { from: batchKey(topicId, partition, end), to })
    if (emptied) {
      return { ...place, end, mayBeShorter, lost: [], empty: end === 0 ? [] : [{ first: 0, last: end - 1 }] }
    }
    // Compaction of format 1 left gaps where nothing is missing.
    if (internal) return { ...place, end, mayBeShorter, lost: [], empty: missing }
    // A position that was committed says how far the topic went at least.
    const committed = this.#survey.offsets.flatMap((each) =>
      each.topic === name && each.partition === partition ? [each.offset] : [],
    )
    const known = committed.reduce((most, offset) => Math.max(most, offset), end)
    const lost = known > end ? [...missing, { first: end, last: known - 1 }] : missing
    return { ...place, end: known, mayBeShorter, lost, empty: [] }
  }

  #renamed(tables: readonly SurveyedTable[]): readonly (SalvagedTable & { readonly source: SurveyedTable })[] {
    const names = new Set(tables.map(({ keyspace, table }) => JSON.stringify([keyspace, table])))
    return tables.map((source) => {
      const { keyspace, table, rows, damagedRows } = source
      let copiedAs = table
      if (damagedRows > 0 || isAffected(this.#doubt.affected, rowsRange(source.id))) {
        do copiedAs = `${copiedAs}_salvaged`
        while (names.has(JSON.stringify([keyspace, copiedAs])))
        names.add(JSON.stringify([keyspace, copiedAs]))
      }
      return { keyspace, table, copiedAs, rows, damagedRows, source }
    })
  }

  #putTopic({ id, name, internal, maxMessageBytes, partitions }: SurveyedTopic): Promise<void> {
    const stored = { id, name, partitions: partitions.length, maxMessageBytes, internal }
    return this.#put(topicKey(name), Buffer.from(JSON.stringify(stored)))
  }

  #putTable({ id, keyspace, table, definition }: SurveyedTable, copiedAs: string): Promise<void> {
    const renamed =
      copiedAs === table ? definition : JSON.stringify({ ...(JSON.parse(definition) as object), table: copiedAs })
    return this.#put(tableKey(keyspace, copiedAs), Buffer.from(JSON.stringify({ id, definition: renamed })))
  }

  async #put(key: Buffer, value: Buffer): Promise<void> {
    this.#operations.push({ type: 'put', key: Buffer.from(key), value: Buffer.from(value) })
    this.#bytes += key.length + value.length
    if (this.#bytes >= writeBytes || this.#operations.length >= writeEntries) await this.#flush()
  }

  async #flush(): Promise<void> {
    const operations = this.#operations
    this.#operations = []
    this.#bytes = 0
    if (operations.length > 0) await this.#storage.write(operations)
  }
}

/**
 * Topics of which only committed positions are left. They are there in the copy, with nothing in them but what is lost: one
 * that is made anew under the name would else begin at offset 0, and a job behind its first records.
 */
function committedTopics({ topics, offsets }: StoreSurvey): readonly SurveyedTopic[] {
  const known = new Set(topics.map(({ name }) => name))
  const partitions = new Map<string, number>()
  for (const { topic, partition } of offsets) {
    if (!known.has(topic)) partitions.set(topic, Math.max(partitions.get(topic) ?? 0, partition + 1))
  }
  const firstId = topics.reduce((most, { id }) => Math.max(most, id + 1), 0)
  return [...partitions].map(([name, count], index) => ({
    id: firstId + index,
    name,
    internal: false,
    maxMessageBytes: defaultMaxMessageBytes,
    partitions: Array.from({ length: Math.min(count, maxPartitions) }, () => coveredRanges([])),
  }))
}

/** The partition that a batch, or the progress of a compaction, is of. */
function placeOf(key: Buffer): string {
  const { topicId, partition } = parseBatchKey(key)
  return placeName(topicId, partition)
}

function placeName(topicId: number, partition: number): string {
  return `${String(topicId)} ${String(partition)}`
}
