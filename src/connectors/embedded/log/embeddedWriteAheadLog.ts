import { writeAheadTopicName } from '../../../core/ownNames.ts'
import type { OffsetRange } from '../../../core/ports/changelog.ts'
import type { EpochTransaction } from '../../../core/ports/commitLog.ts'
import type { TaskId } from '../../../core/ports/task.ts'
import type { LoggedChunk, TaskWriteAheadLog } from '../../../core/ports/writeAheadLog.ts'
import type { EmbeddedStore } from '../store/embeddedStore.ts'
import { readLogPages } from '../store/readLogPage.ts'
import { rewriteBatches } from '../store/rewriteBatches.ts'
import { defaultMaxMessageBytes, type PartitionLog } from '../store/topic.ts'

/** The write-ahead log of one task: its partition of an internal topic, which `EmbeddedJobLog` makes. */
export class EmbeddedWriteAheadLog implements TaskWriteAheadLog {
  readonly maxChunkBytes = defaultMaxMessageBytes - 1024 * 1024
  readonly #store: EmbeddedStore
  readonly #topic: string
  readonly #task: TaskId

  constructor(store: EmbeddedStore, task: TaskId) {
    this.#store = store
    this.#topic = writeAheadTopicName(task)
    this.#task = task
  }

  append(transaction: Pick<EpochTransaction, 'send'>, { sink, bytes }: LoggedChunk): void {
    const [topic, { partition }, timestamp] = [this.#topic, this.#task, this.#store.clock.now()]
    const record = { topic, partition, key: Buffer.from(sink), value: bytes, headers: [], timestamp }
    transaction.send(record, 'exactly-once')
  }

  /** Trimming leaves a gap and does not move the start. */
  async range(): Promise<OffsetRange> {
    return { start: 0, end: this.#partition.end }
  }

  async writtenEnd(): Promise<number> {
    return this.#partition.end
  }

  async *read(from: number, to: number): AsyncGenerator<readonly (LoggedChunk & { readonly offset: number })[], void> {
    for await (const records of readLogPages(this.#store.storage, this.#partition, from, to)) {
      yield records.map(({ key, raw, offset }) => ({
        sink: key?.toString() ?? '',
        bytes: raw ?? Buffer.alloc(0),
        offset,
      }))
    }
  }

  trim(before: number): Promise<void> {
    const { storage, writer } = this.#store
    return writer.run(() => rewriteBatches(storage, this.#partition, before, ({ offset }) => offset >= before))
  }

  get #partition(): PartitionLog {
    return this.#store.topics.partition(this.#topic, this.#task.partition)
  }
}
