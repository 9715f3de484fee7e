import * as t from 'io-ts'
import type { StreamRecord } from '../../../core/record.ts'
import type { PartitionLog } from './topic.ts'
import { scanBatches } from './readLogPage.ts'
import { rewriteBatches } from './rewriteBatches.ts'
import type { Storage } from './storage.ts'
import { cleanedKey } from './storeKeys.ts'
import { decodeStored } from '../damage/damagedStore.ts'

/** Deletions are kept this long, as Kafka's `delete.retention.ms` does; a local store that is older must be restored in full. */
export const changelogDeleteRetentionMs = 24 * 60 * 60 * 1_000

export interface CompactionOptions {
  /** Entries for which it is false are dropped. */
  readonly keep: (key: Buffer) => boolean
  readonly nowMs: number
  /** Keys held in memory at a time; default 200,000 or 32 MiB of them. A log with more of them is read more often. */
  readonly maxKeys?: number
}

/** Keys held in memory at a time, besides their number. */
const maxKeyBytes = 32 * 1024 * 1024
/** How far a changelog is compacted, as it is stored. */
export const storedProgress = t.strict({ cleanedTo: t.number })

/**
 * Drops superseded entries of a changelog partition, in place: entries keep their offsets, and the batches go on covering
 * every offset, so that the end never moves and a gap is always damage. A batch that nothing is left of gives its range to
 * the one behind it. As Kafka's cleaner does it: the last offset of each key is learnt from the part that is not clean yet,
 * as far as memory allows, then everything before is rewritten without what is superseded; and again, up to the end. Each
 * page is one atomic write, oldest first, so that a crash in between leaves a log with the same meaning.
 */
export async function compactChangelog(storage: Storage, log: PartitionLog, options: CompactionOptions): Promise<void> {
  const { end } = log
  const progressKey = cleanedKey(log.topicId, log.partition)
  let cleanedTo = readProgress(storage, progressKey)
  do {
    const known = await learn(storage, log, cleanedTo, end, options)
    await rewrite(storage, log, known, options)
    cleanedTo = known.until
    await storage.write([{ type: 'put', key: progressKey, value: Buffer.from(JSON.stringify({ cleanedTo })) }])
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
  { maxKeys = 200_000 }: CompactionOptions,
): Promise<KnownKeys> {
  const lastOffsets = new Map<string, number>()
  let keyBytes = 0
  for await (const batches of scanBatches(storage, log, from)) {
    for (const { batch } of batches) {
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

function rewrite(storage: Storage, log: PartitionLog, known: KnownKeys, options: CompactionOptions): Promise<void> {
  const droppedBefore = options.nowMs - changelogDeleteRetentionMs
  const stays = (record: StreamRecord): boolean => {
    const { key, raw, offset, timestamp } = record
    if (key !== null && !options.keep(key)) return false
    if ((known.lastOffsets.get(keyName(record)) ?? -1) > offset) return false
    return raw !== null || timestamp >= droppedBefore
  }
  return rewriteBatches(storage, log, known.until, stays)
}

function readProgress(storage: Storage, key: Buffer): number {
  const stored = storage.get(key)
  return stored === undefined ? 0 : decodeStored(storedProgress, stored, 'The progress of a compaction').cleanedTo
}

/** Latin-1 keeps each byte apart, so that different keys have different names. */
function keyName({ key }: StreamRecord): string {
  return key === null ? '' : key.toString('latin1')
}
