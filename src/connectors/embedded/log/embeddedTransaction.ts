import { encodeCommitMetadata } from '../../../core/commitMetadata.ts'
import { TidemarkError, asTidemarkError } from '../../../core/errors.ts'
import { offsetOf } from '../../../core/offsetPosition.ts'
import type { OutputRecord } from '../../../core/record.ts'
import { TransactionPhases } from '../../../core/transactionPhases.ts'
import type { Positions } from '../../../core/ports/position.ts'
import type { CommitMetadata, TaskId } from '../../../core/ports/task.ts'
import type { ChangelogEntry } from '../../../core/ports/changelog.ts'
import type { EpochTransaction } from '../../../core/ports/commitLog.ts'
import type { Guarantee } from '../../../core/ports/outputs.ts'
import { putCommittedOffset } from '../store/committedOffsets.ts'
import type { EmbeddedStore } from '../store/embeddedStore.ts'
import { defaultMaxMessageBytes, type PartitionLog } from '../store/topic.ts'
import { StoredBatchBuilder } from '../store/recordBatch.ts'
import { RecordCollector } from '../store/recordCollector.ts'
import type { FenceToken } from './taskFences.ts'

/** Who commits, and where to. */
export interface EmbeddedTransactionOptions {
  readonly store: EmbeddedStore
  readonly task: TaskId
  readonly groupId: string
  readonly changelog: PartitionLog
  readonly token: FenceToken | null
}

/**
 * One epoch attempt on the embedded log. Records are encoded as they are sent and stay in memory; the commit stores all of
 * them, the changelog and the offsets in one synced write. So whatever the guarantee of a sink, its records become visible
 * with the commit or never, and an abort has nothing to undo.
 *
 * Memory: the encoded records of one epoch.
 */
export class EmbeddedTransaction implements EpochTransaction {
  readonly #owner: EmbeddedTransactionOptions
  readonly #records: RecordCollector
  readonly #changelog = new StoredBatchBuilder()
  #changelogStart = 0
  readonly #phases = new TransactionPhases()

  constructor(owner: EmbeddedTransactionOptions) {
    this.#owner = owner
    this.#records = new RecordCollector(owner.store.topics, { allowInternal: true })
  }

  get bytes(): number {
    return this.#records.bytes
  }

  send(record: OutputRecord, _guarantee: Guarantee): void {
    this.#phases.assertOpen()
    this.#records.add(record)
  }

  async prepare(entries: readonly ChangelogEntry[]): Promise<number> {
    this.#phases.enter('prepared')
    const { changelog, store } = this.#owner
    const timestamp = store.clock.now()
    for (const { key, value } of entries) {
      const bytes = key.length + (value?.length ?? 0)
      if (bytes > defaultMaxMessageBytes) throw stateTooLarge(changelog.topic, bytes)
      this.#changelog.add({ timestamp, key, value, headers: [] })
    }
    this.#changelogStart = changelog.end
    return changelog.end + entries.length
  }

  async commit(positions: Positions, metadata: CommitMetadata): Promise<void> {
    this.#phases.enter('committing')
    const { store, task, groupId, changelog, token } = this.#owner
    const text = encodeCommitMetadata(metadata)
    try {
      await store.writer.write((write) => {
        if (this.#phases.current !== 'committing')
          throw new TidemarkError('commit-failed', 'The transaction was given up before its commit began')
        store.fences.check(task, token)
        if (changelog.end !== this.#changelogStart) {
          throw new TidemarkError(
            'commit-failed',
            `Changelog ${changelog.topic} was written by another owner of the task`,
          )
        }
        this.#records.addTo(write)
        write.append(changelog, this.#changelog.take())
        for (const [topic, position] of positions) {
          const place = { group: groupId, topic, partition: task.partition }
          putCommittedOffset(write, place, { offset: offsetOf(position), metadata: text })
        }
      })
    } catch (error) {
      await this.abort()
      throw asCommitFailure(error)
    }
    this.#phases.enter('committed')
  }

  abort(): Promise<void> {
    this.#phases.giveUp()
    this.#changelog.take()
    return Promise.resolve()
  }
}

/** What the store refused for good reason keeps its code; after anything else the outcome is unknown. */
function asCommitFailure(error: unknown): TidemarkError {
  if (error instanceof TidemarkError && (error.code === 'commit-failed' || error.kind === 'guard')) return error
  const { message } = asTidemarkError(error, 'commit-failed', 'The write failed')
  return new TidemarkError('commit-failed', `The commit to the embedded log failed: ${message}`, { cause: error })
}

function stateTooLarge(topic: string, bytes: number): TidemarkError {
  return new TidemarkError(
    'state-too-large',
    `A state value of ${String(bytes)} bytes exceeds max.message.bytes of changelog ${topic}, which is ${String(defaultMaxMessageBytes)}`,
  )
}
