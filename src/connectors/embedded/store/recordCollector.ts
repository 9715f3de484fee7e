import { keyPartition } from '../../../codecs/murmur2.ts'
import { TidemarkError } from '../../../core/errors.ts'
import { recordBytes, type OutputRecord } from '../../../core/record.ts'
import { RecordBatchBuilder } from './recordBatch.ts'
import type { StoreWrite } from './storeWriter.ts'
import { checkTopicName, defaultMaxMessageBytes } from './topic.ts'
import type { TopicCatalog } from './topicCatalog.ts'

/** One topic that is written to. */
interface Target {
  readonly name: string
  readonly maxMessageBytes: number
  readonly builders: (RecordBatchBuilder | undefined)[]
  /** The next partition for a record without a key. */
  keyless: number
}

/**
 * Collects records of any topics as encoded batches, in memory, until they are added to one atomic write. A record's
 * partition is its own, else murmur2 of its key, else round-robin, from partition 0 on in an empty topic.
 */
export class RecordCollector {
  readonly #topics: TopicCatalog
  readonly #allowInternal: boolean
  readonly #targets = new Map<string, Target>()
  #bytes = 0

  constructor(topics: TopicCatalog, options: { readonly allowInternal: boolean }) {
    this.#topics = topics
    this.#allowInternal = options.allowInternal
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
    const partition = record.partition ?? choosePartition(target, record.key)
    const builder = target.builders[partition] ?? this.#builder(target, partition)
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
    const partitions = topic?.partitions ?? []
    const count = topic === undefined ? this.#topics.defaultPartitions : partitions.length
    const target: Target = {
      name,
      maxMessageBytes: topic?.maxMessageBytes ?? defaultMaxMessageBytes,
      builders: Array.from({ length: count }, () => undefined),
      keyless: partitions.reduce((sum, { end }) => sum + end, 0) % count,
    }
    this.#targets.set(name, target)
    return target
  }

  #builder(target: Target, partition: number): RecordBatchBuilder {
    const count = target.builders.length
    if (!Number.isInteger(partition) || partition < 0 || partition >= count) {
      throw new TidemarkError(
        'invalid-argument',
        `Topic ${target.name} has ${String(count)} partitions, from 0 on; there is no partition ${String(partition)}`,
      )
    }
    const builder = new RecordBatchBuilder()
    target.builders[partition] = builder
    return builder
  }
}

function choosePartition(target: Target, key: Buffer | null): number {
  const count = target.builders.length
  if (key !== null) return keyPartition(key, count)
  const partition = target.keyless
  target.keyless = (partition + 1) % count
  return partition
}

function tooLarge(record: OutputRecord, bytes: number, maxBytes: number): TidemarkError {
  return new TidemarkError(
    'record-too-large',
    `A record of ${String(bytes)} bytes exceeds max.message.bytes of topic ${record.topic}, which is ${String(maxBytes)}`,
    { details: { topic: record.topic, bytes, maxBytes } },
  )
}
