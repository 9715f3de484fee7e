import * as t from 'io-ts'
import type { TopicOptions } from '../../../core/ports/topics.ts'
import { TidemarkError } from '../../../core/errors.ts'
import { checkTopicName } from '../../../core/outputRecord.ts'
import { noPartition } from '../../../core/partitioner.ts'
import { unknownTopic } from '../../../core/topicErrors.ts'
import type { ValueSeal } from '../../../leveldb/valueSeal.ts'
import { damagedStore, decodeStored } from '../damage/damagedStore.ts'
import { PartitionLog, checkTopicOptions, defaultMaxMessageBytes, maxPartitions, type Topic } from './topic.ts'
import { openBatch } from './readLogPage.ts'
import { scanPages, type Storage } from './storage.ts'
import { batchKey, displayKey, tagRange, topicKey } from './storeKeys.ts'
import type { StoreWrite } from './storeWriter.ts'

/** The settings of a topic, as they are stored. */
export const storedTopic = t.strict({
  id: t.number,
  name: t.string,
  partitions: t.number,
  maxMessageBytes: t.number,
  internal: t.boolean,
})

const scanPage = { limit: 1_000, maxBytes: 1024 * 1024 }

/** The topics of the store, all in memory. */
export class TopicCatalog {
  readonly defaultPartitions: number
  readonly #seal: ValueSeal
  readonly #topics = new Map<string, Topic>()
  #nextId = 0

  private constructor(defaultPartitions: number, seal: ValueSeal) {
    this.defaultPartitions = defaultPartitions
    this.#seal = seal
  }

  /** Reads the topics and finds the end of each partition: one search a partition. Throws `corrupt-store`. */
  static async load(storage: Storage, defaultPartitions: number, seal: ValueSeal): Promise<TopicCatalog> {
    const catalog = new TopicCatalog(defaultPartitions, seal)
    for await (const page of scanPages(storage, tagRange('topic'), scanPage)) {
      for (const [key, value] of page) {
        const stored = decodeStored(storedTopic, value, displayKey(key))
        const isPossible = stored.name === key.toString('utf8', 1) && stored.partitions <= maxPartitions
        if (!isPossible) throw damagedStore(`${displayKey(key)} in the embedded store are not what was written`)
        await catalog.#add(storage, stored)
      }
    }
    return catalog
  }

  async #add(storage: Storage, stored: t.TypeOf<typeof storedTopic>): Promise<void> {
    const { id: topicId, name: topic } = stored
    const partitions: PartitionLog[] = []
    for (let partition = 0; partition < stored.partitions; partition += 1) {
      const end = await findEnd(storage, { topic, topicId, partition, seal: this.#seal })
      partitions.push(new PartitionLog(topic, topicId, partition, end, this.#seal))
    }
    this.#topics.set(topic, { ...stored, partitions })
    this.#nextId = Math.max(this.#nextId, topicId + 1)
  }

  find(name: string): Topic | undefined {
    return this.#topics.get(name)
  }

  /** Throws `unknown-topic`. */
  get(name: string): Topic {
    const topic = this.#topics.get(name)
    if (topic === undefined) throw unknownTopic(name)
    return topic
  }

  /** Throws `unknown-topic`, and `invalid-argument` for a partition that the topic does not have. */
  partition(name: string, partition: number): PartitionLog {
    const { partitions } = this.get(name)
    const log = partitions[partition]
    if (log === undefined) throw noPartition(name, partitions.length, partition)
    return log
  }

  /** By name. */
  list(): readonly Topic[] {
    return [...this.#topics.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
  }

  /** Adds a topic to a write; it exists once that is stored. Throws `invalid-argument`. */
  create(write: StoreWrite, name: string, options: TopicOptions = {}): Topic {
    checkTopicName(name)
    if (this.#topics.has(name)) throw new TidemarkError('invalid-argument', `Topic ${name} exists already`)
    return this.#store(write, name, [], false, options)
  }

  /** Adds an internal topic to a write, or gives it more partitions. */
  ensureInternal(write: StoreWrite, name: string, partitions: number): void {
    const known = this.#topics.get(name)
    if (known !== undefined && !known.internal) {
      throw new TidemarkError(
        'invalid-plan',
        `The job needs ${name} for itself, and a topic of that name exists. Rename the job`,
      )
    }
    if (known === undefined || known.partitions.length < partitions)
      this.#store(write, name, known?.partitions ?? [], true, { partitions }, known?.id)
  }

  /** Forgets all topics; their entries are deleted by the store. */
  clear(): void {
    this.#topics.clear()
  }

  #store(
    write: StoreWrite,
    name: string,
    kept: readonly PartitionLog[],
    internal: boolean,
    options: TopicOptions,
    knownId?: number,
  ): Topic {
    checkTopicOptions(options)
    const id = knownId ?? this.#nextId++
    const { partitions: count = this.defaultPartitions, maxMessageBytes = defaultMaxMessageBytes } = options
    const added = Array.from(
      { length: count - kept.length },
      (_, n) => new PartitionLog(name, id, kept.length + n, 0, this.#seal),
    )
    const topic = { id, name, internal, maxMessageBytes, partitions: [...kept, ...added] }
    write.put(topicKey(name), Buffer.from(JSON.stringify({ ...topic, partitions: count })))
    write.afterwards(() => {
      this.#topics.set(name, topic)
    })
    return topic
  }
}

/** The offset behind the last record of a partition. Throws `corrupt-store`. */
async function findEnd(
  storage: Storage,
  log: Pick<PartitionLog, 'topic' | 'topicId' | 'partition' | 'seal'>,
): Promise<number> {
  const { topicId, partition } = log
  const range = { from: batchKey(topicId, partition, 0), to: batchKey(topicId, partition, Number.MAX_SAFE_INTEGER) }
  const [last] = await storage.scan({ ...range, reverse: true, limit: 1, maxBytes: 1 })
  // Its checksum vouches for its key, which says where the partition ends.
  return last === undefined ? 0 : openBatch(log, ...last).range.last + 1
}
