import { decodeControlRecord, encodeControlRecord, type ControlRecord } from '../../../core/controlRecord.ts'
import { TidemarkError } from '../../../core/errors.ts'
import { visibleRange } from '../../../core/visibleRange.ts'
import type { Fetcher } from '../read/fetcher.ts'
import type { KafkaCluster } from '../client/kafkaCluster.ts'
import { BrokerRefusal, asKafkaError } from '../client/kafkaErrors.ts'
import { findTopic } from '../client/topicDirectory.ts'
import { ensureOwnTopic } from './ownTopic.ts'
import { readRange } from '../read/partitionOffsets.ts'
import { kafkaError } from '../protocol/errorCodes.ts'
import { RecordBatchBuilder } from '../protocol/recordBatchBuilder.ts'
import { readPartition } from '../read/readPartition.ts'
import { TaskProducer } from '../write/taskProducer.ts'

/** The topic has one partition, and one key. */
const partition = 0
const controlKey = Buffer.from('reset')

export interface ControlTopicOptions {
  readonly cluster: KafkaCluster
  readonly fetcher: Fetcher
  readonly topic: string
  /** Of its own: whoever takes it over last is the only one who can replace the record. */
  readonly transactionalId: string
  readonly transactionTimeoutMs: number
}

/** The job's control record in Kafka, in a topic of its own, which is made for the first one. */
export class ControlTopic {
  readonly #options: ControlTopicOptions
  /** As it was read since `forget`. */
  #read: Promise<ControlRecord | null> | null = null

  constructor(options: ControlTopicOptions) {
    this.#options = options
  }

  /** The record as it is committed; null where the topic does not exist, or holds none. Read once until `forget`. */
  read(): Promise<ControlRecord | null> {
    if (this.#read !== null) return this.#read
    const reading = this.#readNow()
    this.#read = reading
    reading.catch(() => {
      if (this.#read === reading) this.#read = null
    })
    return reading
  }

  /** Another process may have replaced it. */
  forget(): void {
    this.#read = null
  }

  /**
   * Replaces the record within a transaction of its own id, which is taken over before the record is read: of two processes
   * that do so at once, one is locked out or reads what the other has written.
   */
  async replace(next: (current: ControlRecord | null) => Promise<ControlRecord>): Promise<ControlRecord> {
    const { cluster, topic, transactionalId, transactionTimeoutMs } = this.#options
    try {
      const producer = await TaskProducer.fence({ cluster, transactionalId, transactionTimeoutMs, compression: 'none' })
      try {
        const record = await next(await this.#readNow())
        await ensureOwnTopic(cluster, {
          name: topic,
          kind: 'control',
          partitions: 1,
          config: { 'cleanup.policy': 'compact' },
          needs: ['cleanup.policy'],
          purpose: "holds the job's control record",
          otherwise: 'a reset would be forgotten',
        })
        await this.#commit(producer, record)
        return record
      } finally {
        await producer.discard('The control record is written')
      }
    } finally {
      this.forget()
    }
  }

  async #readNow(): Promise<ControlRecord | null> {
    const { cluster, fetcher, topic } = this.#options
    const found = await findTopic(cluster, topic)
    if (found === null) return null
    if (found.error !== kafkaError.none) {
      throw asKafkaError(
        new BrokerRefusal(found.error, `Topic ${topic}`, null, [topic]),
        "Reading the job's control record failed",
      )
    }
    const { start, end } = await readRange(cluster, topic, partition)
    let last: Buffer | null = null
    if (start < end) {
      for await (const records of readPartition(fetcher, { topic, partition }, start, end)) {
        for (const { key, raw } of records) if (key?.equals(controlKey) === true) last = raw
      }
    }
    return last === null ? null : decodeControlRecord(last, `topic ${topic}`)
  }

  async #commit(producer: TaskProducer, record: ControlRecord): Promise<void> {
    const { cluster, topic } = this.#options
    const builder = new RecordBatchBuilder()
    builder.add({
      timestamp: cluster.clock.now(),
      key: controlKey,
      value: encodeControlRecord(record),
      headers: [],
    })
    const { end, refused } = await producer.append({ topic, partition, builder, maxBytes: Infinity }, () => false)
    for (const { code, message } of refused) {
      throw asKafkaError(new BrokerRefusal(code, `Topic ${topic}`, message), "Writing the job's control record failed")
    }
    await producer.end('commit')
    await untilVisible(cluster, topic, end)
  }
}

/** A broker acknowledges a commit some ms before its marker lets readers see it. */
async function untilVisible(cluster: KafkaCluster, topic: string, written: number): Promise<void> {
  try {
    await visibleRange(cluster.clock, written, {
      range: () => readRange(cluster, topic, partition),
      writtenEnd: () => Promise.resolve(written),
    })
  } catch (cause) {
    throw new TidemarkError(
      'system-unreachable',
      `The reset is written to ${topic} and cannot be read there yet. Start the job, without --reset-offsets: it goes on with the reset`,
      { cause, details: { topic } },
    )
  }
}
