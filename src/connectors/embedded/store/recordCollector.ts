import { TidemarkError } from '../../../core/errors.ts'
import { Partitioner } from '../../../core/partitioner.ts'
import { recordBytes, type OutputRecord } from '../../../core/record.ts'
import { StoredBatchBuilder } from './recordBatch.ts'
import type { StoreWrite } from './storeWriter.ts'
import { checkTopicName } from '../../../core/outputRecord.ts'
import { defaultMaxMessageBytes } from './topic.ts'
import type { TopicCatalog } from './topicCatalog.ts'

/** One topic that is written to. */
interface Target {
  readonly name: string
  readonly maxMessageBytes: number
  readonly builders: (StoredBatchBuilder | undefined)[]
}

/**
 * Collects records of any topics as encoded batches, in memory, until they are added to one atomic write. A record's
 * partition is its own, else murmur2 of its key, else round-robin, from partition 0 on in an empty topic.
 */
export class RecordCollector {
  readonly #topics: TopicCatalog
  readonly #allowInternal: boolean
  readonly #targets = new Map<string, Target>()
  readonly #partitioner: Partitioner
  #bytes = 0

  constructor(topics: TopicCatalog, options: { readonly allowInternal: boolean }) {
    this.#topics = topics
    this.#allowInternal = options.allowInternal
    this.#partitioner = new Partitioner(
      (name) => topics.find(name)?.partitions.reduce((sum, { end }) => sum + end, 0) ?? 0,
    )
  }

  /** Bytes of keys, values and headers so far. */
  get bytes(): number {
    return this.#bytes
  }

  /** Throws `record-too-large`, and `invalid-argument` for a topic or partition that cannot be. */
  add(record: OutputRecord): void {
    const target = this.#targets.get(record.topic) ?? this.#target(record.topic)
    const bytes = recordBytes(record)
    if (bytes > target.maxMessageBytes) throw tooLarge(record, bytes, target.maxMessageBytes)
    const partition = this.#partitioner.partitionOf(record, target.builders.length)
    const builder = (target.builders[partition] ??= new StoredBatchBuilder())
    builder.add(record)
    this.#bytes += bytes
  }

  /**
   * Adds everything to a write, with the topics that do not exist yet. Throws `commit-failed` when a topic has meanwhile
   * been made with other partitions than were reckoned with.
   */
  addTo(write: StoreWrite): void {
    for (const { name, builders } of this.#targets.values()) {
      const topic = this.#topics.find(name) ?? this.#topics.create(write, name)
      if (topic.partitions.length !== builders.length) {
        const counts = `${String(builders.length)} partitions were expected, there are ${String(topic.partitions.length)}`
        throw new TidemarkError(
          'commit-failed',
          `Topic ${name} was made by someone else meanwhile: ${counts}; the records are chosen anew when they are sent again`,
        )
      }
      for (const log of topic.partitions) {
        const builder = builders[log.partition]
        if (builder !== undefined) write.append(log, builder.take())
      }
    }
  }

  #target(name: string): Target {
    const topic = this.#topics.find(name)
    if (topic === undefined) checkTopicName(name)
    if (topic?.internal === true && !this.#allowInternal) {
      throw new TidemarkError('invalid-argument', `Topic ${name} belongs to a job; only that job writes it`)
    }
    const length = topic?.partitions.length ?? this.#topics.defaultPartitions
    const target: Target = {
      name,
      maxMessageBytes: topic?.maxMessageBytes ?? defaultMaxMessageBytes,
      builders: Array.from({ length }, () => undefined),
    }
    this.#targets.set(name, target)
    return target
  }
}

function tooLarge(record: OutputRecord, bytes: number, maxBytes: number): TidemarkError {
  return new TidemarkError(
    'record-too-large',
    `A record of ${String(bytes)} bytes exceeds max.message.bytes of topic ${record.topic}, which is ${String(maxBytes)}`,
    { details: { topic: record.topic, bytes, maxBytes } },
  )
}
