import type { StreamRecord } from '../../core/record.ts'
import type { PartitionLog } from './partitionLog.ts'
import { RecordBatch } from './recordBatch.ts'
import type { KeyRange, Storage } from './storage.ts'
import { batchKey, batchLastOffset } from './storeKeys.ts'

/** Which records are read. */
export interface PageRequest {
  readonly from: number
  /** Exclusive. */
  readonly until: number
  /** Most batches of the page; each holds up to 1,000 records. */
  readonly maxBatches: number
  /** The page ends with the batch that reaches this many bytes. */
  readonly maxBytes: number
}

/** A stretch of a partition. */
export interface LogPage {
  readonly records: readonly StreamRecord[]
  /** Offset after the page; above the last record's by more than one where compaction has left a gap. */
  readonly next: number
  /** Bytes as stored. */
  readonly bytes: number
}

/** Reads the next page of a partition, never beyond its end. Throws `corrupt-store`. */
export async function readLogPage(storage: Storage, log: PartitionLog, request: PageRequest): Promise<LogPage> {
  const until = Math.min(request.until, log.end)
  if (request.from >= until) return { records: [], next: request.from, bytes: 0 }
  const range = offsetRange(log, request.from)
  const entries = await storage.scan({ ...range, limit: request.maxBatches, maxBytes: request.maxBytes })
  let records: StreamRecord[] = []
  let next = request.from
  let bytes = 0
  for (const [key, value] of entries) {
    const batch = openBatch(log, key, value)
    if (batch.range.first >= until) {
      next = until
      break
    }
    const decoded = batch.records(request.from, until)
    records = records.length === 0 ? decoded : records.concat(decoded)
    next = Math.min(batch.range.last + 1, until)
    bytes += value.length
  }
  // No batch at all up to the end: compaction has dropped every record of the stretch.
  return { records, next: entries.length === 0 ? until : next, bytes }
}

/** The stored batches that hold the offsets from `from` to the end of the partition. */
export function offsetRange(log: PartitionLog, from: number): KeyRange {
  return { from: batchKey(log.topicId, log.partition, from), to: batchKey(log.topicId, log.partition, log.end) }
}

export function openBatch({ topic, partition }: PartitionLog, key: Buffer, value: Buffer): RecordBatch {
  return new RecordBatch({ topic, partition, lastOffset: batchLastOffset(key) }, value)
}

/** The first offset whose timestamp is at least `timestampMs`, or the end. Batches that are older are not decoded. */
export async function findOffsetAtTime(storage: Storage, log: PartitionLog, timestampMs: number): Promise<number> {
  const end = log.end
  let range = offsetRange(log, 0)
  for (;;) {
    const entries = await storage.scan({ ...range, limit: 64, maxBytes: 1024 * 1024 })
    for (const [key, value] of entries) {
      const batch = openBatch(log, key, value)
      if (batch.maxTimestamp < timestampMs) continue
      const found = batch.records().find(({ timestamp }) => timestamp >= timestampMs)
      if (found !== undefined) return found.offset
    }
    const last = entries.at(-1)
    if (last === undefined) return end
    range = { from: batchKey(log.topicId, log.partition, batchLastOffset(last[0]) + 1), to: range.to }
  }
}
