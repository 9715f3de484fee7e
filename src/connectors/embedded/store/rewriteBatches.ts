import type { StreamRecord } from '../../../core/record.ts'
import { scanBatches, type StoredBatch } from './readLogPage.ts'
import { encodeRecordBatch, placeBatch } from './recordBatch.ts'
import type { Storage, StorageOperation } from './storage.ts'
import type { PartitionLog } from './topic.ts'

/**
 * Drops records of a partition from the batches that begin before an offset. Those that stay keep their offsets, and the
 * batches go on covering every offset, so that the end never moves and a gap is always damage: a batch that nothing is left
 * of gives its range to the one behind it, and the last one keeps its place. Each page is one atomic write, oldest first.
 */
export async function rewriteBatches(
  storage: Storage,
  log: PartitionLog,
  until: number,
  stays: (record: StreamRecord) => boolean,
): Promise<void> {
  let emptied: EmptiedBatch | null = null
  for await (const batches of scanBatches(storage, log, 0)) {
    const operations: StorageOperation[] = []
    for (const stored of batches) {
      if (stored.batch.range.first >= until) break
      emptied = rewriteBatch(log, stored, emptied, stays, operations)
    }
    if (operations.length > 0) await storage.write(operations)
    if ((batches.at(-1)?.batch.range.last ?? 0) + 1 >= until) return
  }
}

/** A batch that nothing is left in, and the first offset it covers. */
interface EmptiedBatch {
  readonly key: Buffer
  readonly first: number
}

/**
 * Adds what becomes of a batch to a write. What comes back is the batch that nothing is left in, if it is one: it stays as
 * it is until one behind it takes its range, so that no offset is ever uncovered.
 */
function rewriteBatch(
  log: PartitionLog,
  { key, batch }: StoredBatch,
  emptied: EmptiedBatch | null,
  stays: (record: StreamRecord) => boolean,
  operations: StorageOperation[],
): EmptiedBatch | null {
  const kept = batch.records().filter(stays)
  const range = { first: emptied?.first ?? batch.range.first, last: batch.range.last }
  if (kept.length < batch.count || emptied !== null) {
    operations.push({ type: 'put', key, value: placeBatch(encodeRecordBatch(range, kept), log.seal.ofKey(key)) })
  }
  if (emptied !== null) operations.push({ type: 'del', key: emptied.key })
  return kept.length === 0 ? { key, first: range.first } : null
}
