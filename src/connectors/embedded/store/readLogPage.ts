import type { StreamRecord } from '../../../core/record.ts'
import { damagedStore, missingOffsets } from '../damage/damagedStore.ts'
import type { PartitionLog } from './topic.ts'
import { RecordBatch } from './recordBatch.ts'
import { scanPages, type KeyRange, type Storage } from './storage.ts'
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
  /** Offset after the page; above the last record's by more than one where compaction has dropped records. */
  readonly next: number
  /** Bytes as stored. */
  readonly bytes: number
}

/**
 * Reads the next page of a partition, never beyond its end. Throws `corrupt-store` for a batch that is damaged or missing,
 * and `data-removed` at a range whose records are lost.
 */
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
    checkFollows(log, batch, next, request.from)
    // What is whole before it is given first.
    if (batch.isLost && next > request.from) break
    const decoded = batch.records(request.from, until)
    records = records.length === 0 ? decoded : records.concat(decoded)
    next = batch.range.last + 1
    bytes += value.length
    if (next >= until) break
  }
  if (entries.length === 0) throw missingOffsets(log, next, log.end)
  return { records, next: Math.min(next, until), bytes }
}

/**
 * The batch must be the one that holds `next`: batches follow each other from offset 0 to the end of the partition. The
 * first one that is read may begin before `from`.
 */
function checkFollows(log: PartitionLog, { range }: RecordBatch, next: number, from: number): void {
  if (range.first > next) throw missingOffsets(log, next, range.first)
  if (range.first < next && next > from) {
    throw damagedStore(
      `Topic ${log.topic} is damaged: partition ${String(log.partition)} has offset ${String(range.first)} twice`,
      { topic: log.topic, partition: log.partition, offset: range.first },
    )
  }
}

/** What is held of a partition that is read as a whole. */
const scanPage = { limit: 64, maxBytes: 1024 * 1024 }

/** The records from one offset up to another, or to the end, page by page; a page without any is left out. */
export async function* readLogPages(
  storage: Storage,
  log: PartitionLog,
  from: number,
  until: number,
): AsyncGenerator<readonly StreamRecord[], void> {
  const { limit: maxBatches, maxBytes } = scanPage
  for (let next = from; next < Math.min(until, log.end);) {
    const page = await readLogPage(storage, log, { from: next, until, maxBatches, maxBytes })
    if (page.records.length > 0) yield page.records
    next = page.next
  }
}

/** Goes through the batches of a partition from the one that holds `from` to its end, checking that none is missing. */
export async function* scanBatches(
  storage: Storage,
  log: PartitionLog,
  from: number,
): AsyncGenerator<readonly StoredBatch[], void> {
  const { end } = log
  let next = from
  for await (const entries of scanPages(storage, offsetRange(log, from), scanPage)) {
    yield entries.map(([key, value]) => {
      const batch = openBatch(log, key, value)
      checkFollows(log, batch, next, from)
      next = batch.range.last + 1
      return { key, batch }
    })
  }
  if (next < end) throw missingOffsets(log, next, end)
}

export interface StoredBatch {
  readonly key: Buffer
  readonly batch: RecordBatch
}

/** The stored batches that hold the offsets from `from` to the end of the partition. */
export function offsetRange(log: PartitionLog, from: number): KeyRange {
  return { from: batchKey(log.topicId, log.partition, from), to: batchKey(log.topicId, log.partition, log.end) }
}

export function openBatch(
  { topic, partition, seal }: Pick<PartitionLog, 'topic' | 'partition' | 'seal'>,
  key: Buffer,
  value: Buffer,
): RecordBatch {
  return new RecordBatch({ topic, partition, lastOffset: batchLastOffset(key), mark: seal.ofKey(key) }, value)
}

/**
 * The first offset whose timestamp is at least `timestampMs`, or the end; the beginning of a lost range where the first
 * record behind it is the one. Batches that are older are not decoded.
 */
export async function findOffsetAtTime(storage: Storage, log: PartitionLog, timestampMs: number): Promise<number> {
  const { end } = log
  let lostFrom: number | null = null
  for await (const batches of scanBatches(storage, log, 0)) {
    for (const { batch } of batches) {
      if (batch.isLost) {
        lostFrom ??= batch.range.first
        continue
      }
      if (batch.maxTimestamp >= timestampMs) {
        const records = batch.records()
        const found = records.findIndex(({ timestamp }) => timestamp >= timestampMs)
        if (found > 0) return records[found]?.offset ?? end
        if (found === 0) return lostFrom ?? records[0]?.offset ?? end
      }
      if (batch.count > 0) lostFrom = null
    }
  }
  return lostFrom ?? end
}
