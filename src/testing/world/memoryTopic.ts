import { TidemarkError } from '../../core/errors.ts'
import { noPartition, Partitioner } from '../../core/partitioner.ts'
import { StreamRecord, recordBytes, type OutputRecord } from '../../core/record.ts'
import type { OffsetRange } from '../../core/ports/changelog.ts'
import type { PlacedMark } from '../kit/sourceMark.ts'
import type { TestProcess } from './testProcess.ts'

export interface MemoryTopicOptions {
  /** Default 1. */
  readonly partitions?: number
  /** Largest record the topic takes, key, value and headers; default 1 MiB. */
  readonly maxRecordBytes?: number
  /**
   * What the log refuses only when it is sent, as a broker does for reasons that its clients do not know: why, or null. The
   * epoch is then given up and replayed without it.
   */
  readonly refuses?: (record: OutputRecord) => TidemarkError | null
}

/** A record on its way into a topic, its bytes copied: what the sender does to them later does not reach the topic. */
export interface PlacedRecord {
  readonly topic: MemoryTopic
  readonly partition: number
  readonly record: OutputRecord
}

/** A topic in memory. */
export class MemoryTopic {
  readonly name: string
  /** Another topic of the same name has another one. */
  readonly id: string
  readonly maxRecordBytes: number
  partitions: readonly MemoryPartition[] = []
  readonly refuses: (record: OutputRecord) => TidemarkError | null
  readonly #partitioner: Partitioner = new Partitioner()

  constructor(name: string, options: MemoryTopicOptions = {}, id: string = name) {
    const { partitions = 1, maxRecordBytes = 1024 * 1024, refuses = () => null } = options
    this.name = name
    this.id = id
    this.refuses = refuses
    this.maxRecordBytes = maxRecordBytes
    this.grow(partitions)
  }

  /** Adds partitions until there are so many; keys go to other partitions from then on, as in Kafka. */
  grow(partitions: number): void {
    const added = Math.max(0, partitions - this.partitions.length)
    const from = this.partitions.length
    this.partitions = [
      ...this.partitions,
      ...Array.from({ length: added }, (_, index) => new MemoryPartition(this.name, from + index)),
    ]
  }

  /** @throws `record-too-large`, and `invalid-argument` for a partition that the topic does not have. */
  place(record: OutputRecord): PlacedRecord {
    const bytes = recordBytes(record)
    if (bytes > this.maxRecordBytes) {
      throw new TidemarkError(
        'record-too-large',
        `A record of ${String(bytes)} bytes was sent to topic ${this.name}, which takes ${String(this.maxRecordBytes)}. Send large records to onError before the sink.`,
        { details: { topic: this.name, bytes, limit: this.maxRecordBytes } },
      )
    }
    const copy = {
      ...record,
      key: copyOf(record.key),
      value: copyOf(record.value),
      headers: copyHeaders(record.headers),
    }
    return { topic: this, partition: this.#partitioner.partitionOf(record, this.partitions.length), record: copy }
  }

  partition(partition: number): MemoryPartition {
    const found = this.partitions[partition]
    if (found !== undefined) return found
    throw noPartition(this.name, this.partitions.length, partition)
  }

  /** All committed records, by partition and offset. */
  records(): StreamRecord[] {
    return this.partitions.flatMap(({ records }) => records)
  }
}

/** A transaction's records in one partition that are neither committed nor aborted yet. */
interface OpenRecords {
  readonly first: number
  readonly offsets: Set<number>
}

/** One partition: records in order of their offsets, which may have gaps. Its readers see committed records only. */
export class MemoryPartition {
  readonly topic: string
  readonly partition: number
  /** Marks of the test source, in order of their offsets. */
  readonly marks: PlacedMark[] = []
  /** The topic was deleted: nobody reads it any more. */
  removed = false
  /** Open ones included; they stand at or behind the last stable offset. */
  #records: StreamRecord[] = []
  #start = 0
  #end = 0
  readonly #open: Map<string, OpenRecords> = new Map<string, OpenRecords>()
  readonly #listeners: Set<() => void> = new Set<() => void>()

  constructor(topic: string, partition: number) {
    this.topic = topic
    this.partition = partition
  }

  /** What a reader of committed records can see. */
  get records(): readonly StreamRecord[] {
    return this.#open.size === 0 ? this.#records : this.#records.slice(0, this.indexOf(this.range.end))
  }

  /** `end` is the last stable offset: before it every record is committed. */
  get range(): OffsetRange {
    let end = this.#end
    for (const { first } of this.#open.values()) end = Math.min(end, first)
    return { start: this.#start, end }
  }

  /** Where the next record will stand. */
  get highWatermark(): number {
    return this.#end
  }

  /** Appends a record; of an open transaction where one is named, and then hidden until that is committed. */
  append({ timestamp, key, headers, value }: OutputRecord, transaction: string | null = null): void {
    this.#records.push(new StreamRecord(this.topic, this.partition, this.#end, timestamp, key, headers, value, value))
    if (transaction !== null) {
      const open = this.#open.get(transaction) ?? { first: this.#end, offsets: new Set<number>() }
      open.offsets.add(this.#end)
      this.#open.set(transaction, open)
    }
    this.#end += 1
  }

  /** Writes a transaction's marker, which takes one offset, as on a broker. What is aborted goes; `show` moves the end. */
  mark(transaction: string, outcome: 'commit' | 'abort'): void {
    const open = this.#open.get(transaction)
    if (open === undefined) return
    if (outcome === 'abort') this.compact(({ offset }) => !open.offsets.has(offset))
    this.#end += 1
  }

  /** Readers of committed records get past a transaction that has its marker. */
  show(transaction: string): void {
    this.#open.delete(transaction)
  }

  /** The first record at or after an offset; one that is not committed only where the offset is not before `range.end`. */
  from(offset: number): StreamRecord | undefined {
    return this.#records[this.indexOf(offset)]
  }

  /** Where the first record at or after an offset stands in `records`. */
  indexOf(offset: number): number {
    let low = 0
    let high = this.#records.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#records[middle]?.offset ?? Infinity) < offset) low = middle + 1
      else high = middle
    }
    return low
  }

  /** Keeps the records a predicate says yes to; the others leave gaps. */
  compact(keep: (record: StreamRecord) => boolean): void {
    this.#records = this.#records.filter(keep)
  }

  /** Removes what stands before an offset, as retention does. */
  removeBefore(offset: number): void {
    this.#start = Math.max(this.#start, Math.min(offset, this.#end))
    this.compact((record) => record.offset >= this.#start)
  }

  /** Leaves a gap, as a transaction's marker does on a broker. */
  skip(offsets: number): void {
    this.#end += offsets
  }

  /** Calls back after each append that is complete; returns the call that ends it. */
  onAppended(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => {
      this.#listeners.delete(listener)
    }
  }

  /** Called by the log once all of an atomic append stands. */
  announce(): void {
    for (const listener of this.#listeners) listener()
  }
}

function copyOf(bytes: Buffer | null): Buffer | null {
  return bytes === null ? null : Buffer.from(bytes)
}

function copyHeaders(headers: OutputRecord['headers']): OutputRecord['headers'] {
  return headers.map(([name, value]) => [name, copyOf(value)] as const)
}

/**
 * Committed records of a partition in [from, to), in order, as a process reads them: some at a time, by the name of its call.
 * The partition is looked up at each.
 */
export async function* partitionPages(
  process: TestProcess,
  call: string,
  partition: () => MemoryPartition,
  { from, to, atOnce }: { readonly from: number; readonly to: number; readonly atOnce: number },
): AsyncGenerator<readonly StreamRecord[], void> {
  for (let next = from; ;) {
    const batch = await process.call(call, () => {
      const log = partition()
      const first = log.indexOf(next)
      return log.records.slice(first, first + atOnce).filter(({ offset }) => offset < to)
    })
    const last = batch.at(-1)
    if (last === undefined) return
    next = last.offset + 1
    yield batch
  }
}

/** A record of its own, so that a pipeline that changes bytes in place does not change the topic. */
export function freshRecord(record: StreamRecord): StreamRecord {
  const value = copyOf(record.raw)
  return new StreamRecord(
    record.topic,
    record.partition,
    record.offset,
    record.timestamp,
    copyOf(record.key),
    copyHeaders(record.headers),
    value,
    value,
  )
}
