import type * as t from 'io-ts'
import { decodeControlRecord } from '../../../core/controlRecord.ts'
import { parseStored } from '../../../core/storedJson.ts'
import type { ValueSeal } from '../../../leveldb/valueSeal.ts'
import { storedProgress } from '../store/changelogCompaction.ts'
import { storedOffset } from '../store/committedOffsets.ts'
import { damagedStore, missingOffsets } from './damagedStore.ts'
import { decodeStored } from '../store/decodeStored.ts'
import { openBatch } from '../store/readLogPage.ts'
import type { OffsetSpan } from '../store/recordBatch.ts'
import { scanPages, type KeyRange, type Storage } from '../store/storage.ts'
import { batchKey, displayKey, parseBatchKey, rowKeyDigest, rowTableId, tagRange } from '../store/storeKeys.ts'
import { parseStoredDefinition, storedTable } from '../store/tableCatalog.ts'
import { storedTopics } from '../store/topicCatalog.ts'

/** One partition of a store of format 1. */
export interface UnsealedPartition {
  readonly topic: string
  readonly topicId: number
  readonly partition: number
  /** A changelog: compaction left gaps in it. */
  readonly internal: boolean
  readonly seal: ValueSeal
}

const page = { limit: 1_000, maxBytes: 1024 * 1024 }

/**
 * Checks a store of format 1 as far as it can be checked: batches have checksums and follow each other, but for what
 * compaction has left out of changelogs; everything else can be read for what it is. Throws `corrupt-store`.
 */
export async function checkUnsealed(storage: Storage, seal: ValueSeal): Promise<void> {
  const partitions = await unsealedPartitions(storage, seal)
  for (const log of partitions) {
    for await (const gap of gapsOf(storage, log)) {
      if (!log.internal) throw missingOffsets(log, gap.first, gap.last + 1)
    }
  }
  await checkStrays(storage, partitions)
  await each(storage, tagRange('offset'), (key, value) => decodeStored(storedOffset, value, displayKey(key)))
  await each(storage, tagRange('cleaned'), (key, value) => decodeStored(storedProgress, value, displayKey(key)))
  await each(storage, tagRange('control'), (_key, value) => decodeControlRecord(value, 'the embedded store'))
  const tables = new Set<number>()
  await each(storage, tagRange('table'), (key, value) => {
    const { id, definition }: t.TypeOf<typeof storedTable> = decodeStored(storedTable, value, displayKey(key))
    parseStoredDefinition(definition)
    tables.add(id)
  })
  await each(storage, tagRange('row'), (key, value) => {
    if (tables.has(rowTableId(key)) && parseStored(value) !== undefined) return
    throw damagedStore(
      `A row of the embedded tables is damaged: it is not what was written (sha256 of its key begins with ${rowKeyDigest(key)})`,
    )
  })
}

/** All partitions of a store of format 1. */
export async function unsealedPartitions(storage: Storage, seal: ValueSeal): Promise<readonly UnsealedPartition[]> {
  const found: UnsealedPartition[] = []
  for await (const { id, name, partitions, internal } of storedTopics(storage)) {
    for (let partition = 0; partition < partitions; partition += 1) {
      found.push({ topic: name, topicId: id, partition, internal, seal })
    }
  }
  return found
}

/** The stretches of a partition that no batch covers. Throws `corrupt-store` for a batch that is damaged. */
export async function* gapsOf(storage: Storage, log: UnsealedPartition): AsyncGenerator<OffsetSpan, void> {
  const { topicId, partition } = log
  const range = { from: batchKey(topicId, partition, 0), to: batchKey(topicId, partition, Number.MAX_SAFE_INTEGER) }
  let next = 0
  for await (const entries of scanPages(storage, range, page)) {
    for (const [key, value] of entries) {
      const { first, last } = openBatch(log, key, value).range
      if (first < next) {
        throw damagedStore(
          `Topic ${log.topic} is damaged: partition ${String(partition)} has offset ${String(first)} twice`,
        )
      }
      if (first > next) yield { first: next, last: first - 1 }
      next = last + 1
    }
  }
}

/** Batches of no partition: the settings of their topic are gone. */
async function checkStrays(storage: Storage, partitions: readonly UnsealedPartition[]): Promise<void> {
  const known = new Set(partitions.map(({ topicId, partition }) => `${String(topicId)} ${String(partition)}`))
  await each(storage, tagRange('record'), (key) => {
    const { topicId, partition } = parseBatchKey(key)
    if (known.has(`${String(topicId)} ${String(partition)}`)) return
    throw damagedStore(
      `The embedded store is damaged: it has records of topic number ${String(topicId)}, which it does not know`,
    )
  })
}

async function each(storage: Storage, range: KeyRange, check: (key: Buffer, value: Buffer) => unknown): Promise<void> {
  for await (const entries of scanPages(storage, range, page)) for (const entry of entries) check(...entry)
}
