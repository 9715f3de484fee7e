import * as t from 'io-ts'
import type { StreamRecord } from '../../core/record.ts'
import type { PartitionLog } from './partitionLog.ts'
import { openBatch, offsetRange } from './readLogPage.ts'
import { encodeRecordBatch } from './recordBatch.ts'
import { scanPages, type Storage, type StorageEntry, type StorageOperation } from './storage.ts'
import { batchLastOffset, cleanedKey } from './storeKeys.ts'
import { decodeStored } from './decodeStored.ts'

/** Deletions are kept this long, as Kafka's `delete.retention.ms` does; a local store that is older must be restored in full. */
export const changelogDeleteRetentionMs = 24 * 60 * 60 * 1_000

export interface CompactionOptions {
  /** Entries for which it is false are dropped. */
  readonly keep: (key: Buffer) => boolean
  readonly nowMs: number
  /** Keys held in memory at a time; default 200,000 or 32 MiB of them. A log with more of them is read more often. */
  readonly maxKeys?: number
  readonly maxKeyBytes?: number
}

const page = { limit: 64, maxBytes: 1024 * 1024 }
const storedProgress = t.strict({ cleanedTo: t.number })

/**
 * Drops superseded entries of a changelog partition, in place: entries keep their offsets, and a batch keeps its range, so
 * that the end never moves. As Kafka's cleaner does it: the last offset of each key is learnt from the part that is not
 * clean yet, as far as memory allows, then everything before is rewritten without what is superseded; and again, up to
 * the end. Each page is one atomic write, oldest first, so that a crash in between leaves a log with the same meaning.
 */
export async function compactChangelog(storage: Storage, log: PartitionLog, options: CompactionOptions): Promise<void> {
  const { end } = log
  const progressKey = cleanedKey(log.topicId, log.partition)
  let cleanedTo = readProgress(storage, progressKey)
  do {
    const known = await learn(storage, log, cleanedTo, end, options)
    await rewrite(storage, log, known, options)
    cleanedTo = known.until
    await storage.write([{ type: 'put', key: progressKey, value: Buffer.from(JSON.stringify({ cleanedTo })) }], {
      sync: true,
    })
  } while (cleanedTo < end)
}

/** The last offset of each key that occurs in the dirty part before `until`. */
interface KnownKeys {
  readonly lastOffsets: ReadonlyMap<string, number>
  readonly until: number
}

async function learn(
  storage: Storage,
  log: PartitionLog,
  from: number,
  end: number,
  { maxKeys = 200_000, maxKeyBytes = 32 * 1024 * 1024 }: CompactionOptions,
): Promise<KnownKeys> {
  const lastOffsets = new Map<string, number>()
  let keyBytes = 0
  for await (const entries of scanPages(storage, offsetRange(log, from), page)) {
    for (const [key, value] of entries) {
      const batch = openBatch(log, key, value)
      for (const record of batch.records(from, end)) {
        const name = keyName(record)
        if (!lastOffsets.has(name)) keyBytes += name.length
        lastOffsets.set(name, record.offset)
      }
      if (lastOffsets.size >= maxKeys || keyBytes >= maxKeyBytes) return { lastOffsets, until: batch.range.last + 1 }
    }
  }
  return { lastOffsets, until: end }
}

async function rewrite(
  storage: Storage,
  log: PartitionLog,
  known: KnownKeys,
  options: CompactionOptions,
): Promise<void> {
  const droppedBefore = options.nowMs - changelogDeleteRetentionMs
  const stays = (record: StreamRecord): boolean => {
    const { key, raw, offset, timestamp } = record
    if (key !== null && !options.keep(key)) return false
    if ((known.lastOffsets.get(keyName(record)) ?? -1) > offset) return false
    return raw !== null || timestamp >= droppedBefore
  }
  const { from } = offsetRange(log, 0)
  const { from: to } = offsetRange(log, known.until)
  for await (const entries of scanPages(storage, { from, to }, page)) {
    const operations = entries.flatMap((entry) => rewriteBatch(log, entry, stays))
    if (operations.length > 0) await storage.write(operations, { sync: true })
  }
}

function rewriteBatch(
  log: PartitionLog,
  [key, value]: StorageEntry,
  stays: (record: StreamRecord) => boolean,
): readonly StorageOperation[] {
  const batch = openBatch(log, key, value)
  const kept = batch.records().filter(stays)
  if (kept.length === batch.count) return []
  // The last batch stays even when nothing is left in it: it tells where the log ends.
  if (kept.length === 0 && batchLastOffset(key) !== log.end - 1) return [{ type: 'del', key }]
  return [{ type: 'put', key, value: encodeRecordBatch(batch.range, kept) }]
}

function readProgress(storage: Storage, key: Buffer): number {
  const stored = storage.get(key)
  return stored === undefined ? 0 : decodeStored(storedProgress, stored, 'The progress of a compaction').cleanedTo
}

/** Latin-1 keeps each byte apart, so that different keys have different names. */
function keyName({ key }: StreamRecord): string {
  return key === null ? '' : key.toString('latin1')
}
