import * as t from 'io-ts'
import { TidemarkError } from '../../core/errors.ts'
import { PartitionLog } from './partitionLog.ts'
import { scanPages, type Storage } from './storage.ts'
import { batchKey, batchLastOffset, tagRange, topicKey } from './storeKeys.ts'
import { decodeStored } from './decodeStored.ts'
import type { StoreWrite } from './storeWriter.ts'
import {
  checkTopicName,
  checkTopicOptions,
  defaultMaxMessageBytes,
  unknownTopic,
  type Topic,
  type TopicOptions,
} from './topic.ts'

const storedTopic = t.strict({
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
  readonly #topics = new Map<string, Topic>()
  #nextId = 0

  private constructor(defaultPartitions: number) {
    this.defaultPartitions = defaultPartitions
  }

  /** Reads the topics and finds the end of each partition: one search a partition. */
  static async load(storage: Storage, defaultPartitions: number): Promise<TopicCatalog> {
    const catalog = new TopicCatalog(defaultPartitions)
    for await (const page of scanPages(storage, tagRange('topic'), scanPage)) {
      for (const [key, value] of page) {
        const stored = decodeStored(storedTopic, value, `The settings of topic ${key.toString('utf8', 1)}`)
        const { id, name, partitions: count } = stored
        const partitions: PartitionLog[] = []
        for (let partition = 0; partition < count; partition += 1) {
          partitions.push(new PartitionLog(name, id, partition, await findEnd(storage, id, partition)))
        }
        catalog.#topics.set(name, { ...stored, partitions })
        catalog.#nextId = Math.max(catalog.#nextId, id + 1)
      }
    }
    return catalog
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
    const log = this.get(name).partitions[partition]
    if (log !== undefined) return log
    const count = String(this.get(name).partitions.length)
    throw new TidemarkError(
      'invalid-argument',
      `Topic ${name} has ${count} partitions, from 0 on; there is no partition ${String(partition)}`,
    )
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
    const added = Array.from({ length: count - kept.length }, (_, n) => new PartitionLog(name, id, kept.length + n, 0))
    const topic = { id, name, internal, maxMessageBytes, partitions: [...kept, ...added] }
    write.put(topicKey(name), Buffer.from(JSON.stringify({ ...topic, partitions: count })))
    write.afterwards(() => {
      this.#topics.set(name, topic)
    })
    return topic
  }
}

async function findEnd(storage: Storage, topicId: number, partition: number): Promise<number> {
  const range = { from: batchKey(topicId, partition, 0), to: batchKey(topicId, partition, Number.MAX_SAFE_INTEGER) }
  const [last] = await storage.scan({ ...range, reverse: true, limit: 1, maxBytes: 1 })
  return last === undefined ? 0 : batchLastOffset(last[0]) + 1
}
