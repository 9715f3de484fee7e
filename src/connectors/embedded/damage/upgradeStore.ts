import { isRight } from 'fp-ts/lib/Either.js'
import * as t from 'io-ts'
import { decodeControlRecord } from '../../../core/controlRecord.ts'
import { parseStored } from '../../../core/storedJson.ts'
import type { ValueSeal } from '../../../leveldb/valueSeal.ts'
import { storedProgress } from '../store/changelogCompaction.ts'
import { storedOffset } from '../store/committedOffsets.ts'
import { openBatch } from '../store/readLogPage.ts'
import { parseStoredDefinition, storedTable } from '../store/tableStore.ts'
import type { PartitionLog, Topic } from '../store/topic.ts'
import { TopicCatalog } from '../store/topicCatalog.ts'
import { damagedStore, missingOffsets, decodeStored } from './damagedStore.ts'
import { encodeRecordBatch, type OffsetSpan } from '../store/recordBatch.ts'
import {
  keyAfter,
  scanPages,
  type Storage,
  type StorageEntry,
  type StorageOperation,
  type KeyRange,
} from '../store/storage.ts'
import {
  batchKey,
  formatKey,
  tagRange,
  upgradingKey,
  displayKey,
  parseBatchKey,
  rowKeyDigest,
  rowTableId,
} from '../store/storeKeys.ts'

/** One page that is read, and one write. */
const page = { limit: 1_000, maxBytes: 1024 * 1024 }

/** Up to which key, in hex, values have their checksums. */
const storedUpgrade = t.strict({ after: t.string })

/**
 * Makes a store of format 1 into one of format 2, or goes on with one that was interrupted: every write is small and synced,
 * and leaves a store that the next open goes on with. First everything is checked, and gaps that compaction has left in
 * changelogs are closed, which is still format 1. Then the store is of format 2, with a mark of how far its values have
 * checksums; the mark moves in the same writes. Batches keep the checksums that they have.
 */
export async function upgradeStore(storage: Storage, seal: ValueSeal, formatEntry: Buffer): Promise<void> {
  if (storage.get(upgradingKey) === undefined) {
    const topics = (await TopicCatalog.load(storage, 1, seal)).list()
    await checkUnsealed(storage, topics)
    for (const { internal, partitions } of topics) {
      if (internal) for (const log of partitions) await closeGaps(storage, log)
    }
    await storage.write([{ type: 'put', key: formatKey, value: formatEntry }, mark(seal, '')])
  }
  const done = readMark(storage.get(upgradingKey) ?? Buffer.alloc(0), seal)
  if (done === null) throw damagedStore('The entry of the embedded store that says how far it is upgraded is damaged')
  for (const range of [
    { from: keyAfter(upgradingKey), to: tagRange('record').from },
    { from: tagRange('record').to, to: null },
  ]) {
    const from = Buffer.compare(done, range.from) >= 0 ? keyAfter(done) : range.from
    if (range.to !== null && Buffer.compare(from, range.to) >= 0) continue
    for await (const entries of scanPages(storage, { from, to: range.to }, page)) {
      const last = entries.at(-1)
      if (last === undefined) break
      await storage.write([...entries.map((entry) => sealed(seal, entry)), mark(seal, last[0].toString('hex'))])
    }
  }
  await storage.write([{ type: 'del', key: upgradingKey }])
}

function sealed(seal: ValueSeal, [key, value]: StorageEntry): StorageOperation {
  const isRow = Buffer.compare(key, tagRange('row').from) >= 0 && Buffer.compare(key, tagRange('row').to) < 0
  return { type: 'put', key, value: isRow ? seal.sealText(key, value.toString()) : seal.seal(key, value) }
}

function mark(seal: ValueSeal, after: string): StorageOperation {
  return { type: 'put', key: upgradingKey, value: seal.seal(upgradingKey, Buffer.from(JSON.stringify({ after }))) }
}

/** Up to which key an upgrade has come; null when the entry is not what was written. */
export function readMark(stored: Buffer, seal: ValueSeal): Buffer | null {
  const opened = seal.open(upgradingKey, stored)
  const decoded = storedUpgrade.decode(opened === null ? undefined : parseStored(opened))
  return isRight(decoded) ? Buffer.from(decoded.right.after, 'hex') : null
}

/** A batch without records for each stretch that compaction has left without one. */
async function closeGaps(storage: Storage, log: PartitionLog): Promise<void> {
  let operations: StorageOperation[] = []
  const flush = async (): Promise<void> => {
    if (operations.length > 0) await storage.write(operations)
    operations = []
  }
  for await (const gap of gapsOf(storage, log)) {
    const key = batchKey(log.topicId, log.partition, gap.last)
    operations.push({ type: 'put', key, value: encodeRecordBatch(gap, []) })
    if (operations.length >= page.limit) await flush()
  }
  await flush()
}

/**
 * Checks a store of format 1 as far as it can be checked: batches have checksums and follow each other, but for what
 * compaction has left out of changelogs; everything else can be read for what it is. Throws `corrupt-store`.
 */
async function checkUnsealed(storage: Storage, topics: readonly Topic[]): Promise<void> {
  for (const { internal, partitions } of topics) {
    for (const log of partitions) {
      for await (const gap of gapsOf(storage, log)) if (!internal) throw missingOffsets(log, gap.first, gap.last + 1)
    }
  }
  await checkStrays(storage, topics)
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

/** The stretches of a partition that no batch covers. Throws `corrupt-store` for a batch that is damaged. */
async function* gapsOf(storage: Storage, log: PartitionLog): AsyncGenerator<OffsetSpan, void> {
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
async function checkStrays(storage: Storage, topics: readonly Topic[]): Promise<void> {
  const known = new Map(topics.map(({ id, partitions }) => [id, partitions.length]))
  await each(storage, tagRange('record'), (key) => {
    const { topicId, partition } = parseBatchKey(key)
    if (partition < (known.get(topicId) ?? 0)) return
    throw damagedStore(
      `The embedded store is damaged: it has records of topic number ${String(topicId)}, which it does not know`,
    )
  })
}

async function each(storage: Storage, range: KeyRange, check: (key: Buffer, value: Buffer) => unknown): Promise<void> {
  for await (const entries of scanPages(storage, range, page)) for (const entry of entries) check(...entry)
}
