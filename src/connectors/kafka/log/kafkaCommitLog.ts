import { readCommitMetadata } from '../../../core/commitMetadata.ts'
import { offsetPosition } from '../../../core/offsetPosition.ts'
import { taskTransactionalId } from '../../../core/ownNames.ts'
import { Partitioner } from '../../../core/partitioner.ts'
import type { CommittedPosition, EpochTransaction, TaskCommitLog } from '../../../core/ports/commitLog.ts'
import type { TaskId } from '../../../core/ports/task.ts'
import { systemUnreachable } from '../client/kafkaErrors.ts'
import { readGroupOffsets } from '../group/groupOffsets.ts'
import type { TaskLogShared } from './taskLogShared.ts'
import { KafkaTransaction, type CommittedParts, type KafkaTransactionOptions } from '../write/kafkaTransaction.ts'
import { wholeMetadata } from './offsetMetadata.ts'
import { PlainProducer } from '../write/plainProducer.ts'
import { TaskProducer } from '../write/taskProducer.ts'

/** The commits of one task: transactions of its own transactional id, and the offsets of the consumer group. */
export class KafkaCommitLog implements TaskCommitLog {
  readonly #shared: TaskLogShared
  readonly #task: TaskId
  readonly #parts: CommittedParts
  readonly #partitioner: Partitioner
  #producer: TaskProducer | null = null
  #plain: Pick<KafkaTransactionOptions, 'plain' | 'loose'> | null = null
  #closed = false

  constructor(shared: TaskLogShared, task: TaskId, parts: CommittedParts) {
    this.#shared = shared
    this.#task = task
    this.#parts = parts
    this.#partitioner = new Partitioner(() => task.partition)
  }

  get lost(): boolean {
    return this.#producer === null || this.#producer.broken !== null
  }

  async fence(): Promise<void> {
    const { partition } = this.#task
    await this.#shared.confirm(partition)
    await this.#dropProducer('The task is fenced again')
    const producer = await this.#fenced(this.#shared.transactionalIdPrefix)
    if (this.#closed) {
      await producer.discard('The task has ended')
      throw systemUnreachable(`Partition ${String(partition)} was given up while it was fenced`)
    }
    this.#producer = producer
  }

  async fenceEarlier(transactionalIdPrefix: string): Promise<void> {
    await (await this.#fenced(transactionalIdPrefix)).discard('Fenced for another prefix')
  }

  async committed(): Promise<ReadonlyMap<string, CommittedPosition>> {
    const { inputs, changelog } = this.#parts
    const { cluster, groupId } = this.#shared
    const places = inputs.topics.map((topic) => ({ topic, partition: this.#task.partition }))
    // A look before the fence must not wait for what only the fence decides: the transaction of an owner that was killed.
    const read = await readGroupOffsets(cluster, groupId, { places, stable: !this.lost })
    const found = wholeMetadata(new Map(read.map(({ topic, offset, metadata }) => [topic, { offset, metadata }])))
    await inputs.lookUp(found)
    // What a text that is not ours means is the runtime's to say.
    const ends = [...found.values()].map(({ metadata }) => readCommitMetadata(metadata)?.changelogEnd ?? 0)
    changelog.committedEnd = Math.max(0, ...ends)
    return new Map(
      [...found].map(([topic, { offset, metadata, topicId }]) => {
        const at = { position: offsetPosition(offset), metadata }
        return [topic, topicId === undefined ? at : { ...at, topicId }]
      }),
    )
  }

  begin(): EpochTransaction {
    const { clock, cluster, compression } = this.#shared
    this.#plain ??= {
      plain: new PlainProducer(cluster, compression),
      loose: new PlainProducer(cluster, compression),
    }
    this.#parts.outputs.beganMs = clock.now()
    return new KafkaTransaction({
      ...this.#shared,
      ...this.#plain,
      inputs: this.#parts.inputs,
      changelog: this.#parts.changelog,
      outputs: this.#parts.outputs,
      partition: this.#task.partition,
      partitioner: this.#partitioner,
      producer: this.lost ? null : this.#producer,
    })
  }

  async close(): Promise<void> {
    this.#closed = true
    const plain = this.#plain === null ? [] : [this.#plain.plain, this.#plain.loose]
    await Promise.all([this.#dropProducer('The task has ended'), ...plain.map((producer) => producer.close())])
  }

  async #dropProducer(reason: string): Promise<void> {
    const producer = this.#producer
    this.#producer = null
    await producer?.discard(reason)
  }

  #fenced(prefix: string): Promise<TaskProducer> {
    const { cluster, transactionTimeoutMs, compression } = this.#shared
    const transactionalId = taskTransactionalId(prefix, this.#task)
    return TaskProducer.fence({ cluster, transactionalId, transactionTimeoutMs, compression })
  }
}
