import { TidemarkError } from '../../../core/errors.ts'
import type { OutputRecord } from '../../../core/record.ts'
import type { CompressionType } from '../protocol/compression.ts'
import { batchHeaderBytes } from '../protocol/batchHeader.ts'
import { RecordBatchBuilder, builtOverheadBytes } from '../protocol/recordBatchBuilder.ts'
import { brokerMaxMessageBytes, type KnownTopic } from '../client/topicDirectory.ts'

/** A batch is closed at this size, also where the topic would take more: it is sent while the epoch goes on. */
const maxBatchBytes = 1024 * 1024
/** A broker takes no larger request by default (`socket.request.max.bytes`), and we make none. */
export const maxRequestBytes = 100 * 1024 * 1024

/** One topic's partition. */
export interface Place {
  readonly topic: string
  readonly partition: number
}

/** A batch that is ready to be sent. */
export interface PlacedBatch extends Place {
  /** As far as is known, the topic takes no larger one. */
  readonly maxBytes: number
  readonly builder: RecordBatchBuilder
}

/** The largest record, by `recordBytes`, that surely makes a batch which the topic takes. */
export function maxRecordBytes(topic: KnownTopic | undefined): number {
  const limit = topic?.maxMessageBytes ?? brokerMaxMessageBytes
  return Math.max(0, limit - batchHeaderBytes - builtOverheadBytes)
}

/**
 * Collects records as batches, one open batch a partition. Each stays below what its topic takes, counted uncompressed; with
 * compression a record that is larger makes a batch of its own, which may fit when it is built.
 *
 * Memory: at most 1 MiB (or `max.message.bytes`, if that is less) for each partition written, besides what is full.
 */
export class BatchCollector {
  readonly #open = new Map<string, PlacedBatch>()
  readonly #full: (batch: PlacedBatch) => void
  readonly #compression: CompressionType

  /** `full` is given each batch that takes no more. */
  constructor(full: (batch: PlacedBatch) => void, compression: CompressionType = 'none') {
    this.#full = full
    this.#compression = compression
  }

  /** Throws `record-too-large` for a record that no batch of the topic can hold. */
  add(record: OutputRecord, topic: KnownTopic, partition: number): void {
    const key = `${topic.name}/${String(partition)}`
    const limit = Math.min(maxBatchBytes, topic.maxMessageBytes)
    let batch = this.#open.get(key)
    if (batch !== undefined && batch.builder.bytesWith(record) > limit) {
      this.#open.delete(key)
      this.#full(batch)
      batch = undefined
    }
    if (batch === undefined) {
      batch = {
        topic: topic.name,
        partition,
        builder: new RecordBatchBuilder(),
        maxBytes: Math.min(topic.maxMessageBytes, maxRequestBytes),
      }
      const alone = batch.builder.bytesWith(record)
      if (alone > topic.maxMessageBytes && (this.#compression === 'none' || alone > maxRequestBytes)) {
        throw tooLarge(topic, alone)
      }
      this.#open.set(key, batch)
    }
    batch.builder.add(record)
  }

  /** Takes the open batches out. */
  take(): readonly PlacedBatch[] {
    const batches = [...this.#open.values()]
    this.#open.clear()
    return batches
  }
}

function tooLarge({ name, maxMessageBytes }: KnownTopic, bytes: number): TidemarkError {
  return new TidemarkError(
    'record-too-large',
    `A record makes a batch of ${String(bytes)} bytes; topic ${name} takes ${String(maxMessageBytes)} (max.message.bytes)`,
    { details: { outputTopic: name, bytes, maxBytes: maxMessageBytes } },
  )
}
