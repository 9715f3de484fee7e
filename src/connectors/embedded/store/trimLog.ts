import type { PartitionLog } from './topic.ts'
import { scanBatches } from './readLogPage.ts'
import { encodeRecordBatch, placeBatch } from './recordBatch.ts'
import type { Storage, StorageOperation } from './storage.ts'

const page = { limit: 64, maxBytes: 1024 * 1024 }

/**
 * Removes the records of a partition that stand before an offset, in one atomic write. The batch that holds the offset takes
 * over the range of those that go, and where there is none the last one keeps its place without a record: batches go on
 * covering every offset, so that the end never moves and a gap is always damage.
 */
export async function trimLog(storage: Storage, log: PartitionLog, before: number): Promise<void> {
  const operations: StorageOperation[] = []
  let last: Buffer | null = null
  for await (const batches of scanBatches(storage, log, 0, page)) {
    for (const { key, batch } of batches) {
      const { range } = batch
      if (last !== null) operations.push({ type: 'del', key: last })
      last = key
      if (range.last < before && range.last + 1 < log.end) continue
      const kept = batch.records().filter(({ offset }) => offset >= before)
      // Nothing has gone before it, nor goes of it.
      if (operations.length === 0 && kept.length === batch.count) return
      operations.push({
        type: 'put',
        key,
        value: placeBatch(encodeRecordBatch({ first: 0, last: range.last }, kept), log.seal.ofKey(key)),
      })
      await storage.write(operations)
      return
    }
  }
}
