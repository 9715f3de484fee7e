import type { TidemarkError } from '../../core/errors.ts'
import { type LearntRefusals, RecordsRefused } from '../../core/outputRefusal.ts'
import { recordBytes, type OutputRecord } from '../../core/record.ts'
import { TransactionPhases } from '../../core/transactionPhases.ts'
import type { Positions } from '../../core/ports/position.ts'
import type { CommitMetadata } from '../../core/ports/task.ts'
import type { ChangelogEntry } from '../../core/ports/changelog.ts'
import type { EpochTransaction } from '../../core/ports/commitLog.ts'
import type { Guarantee } from '../../core/ports/outputs.ts'
import type { MemoryLog, MemoryTaskIdentity } from './memoryLog.ts'
import type { PlacedRecord } from './memoryTopic.ts'
import { once, type TestProcess } from './testProcess.ts'

/** Whose transaction it is: what the task has then, and what it learns. */
export interface MemoryTransactionOptions {
  readonly token: number
  /** Of the inputs. */
  readonly topicIds: ReadonlyMap<string, string>
  /** What the log has refused of this stretch. */
  readonly refusals: LearntRefusals
  /** It must fence before it may begin again. */
  lost(): void
  /** The changelog is committed up to there. */
  committed(changelogEnd: number): void
}

/** With open transactions, records that are sent together. */
const produceBatch = 4

/**
 * One epoch attempt's transaction. In a log of whole transactions everything is kept aside until `commit` stores it in one
 * step; in one of open transactions records are appended as the epoch runs, and `commit` decides.
 */
export class MemoryTransaction implements EpochTransaction {
  readonly #log: MemoryLog
  readonly #process: TestProcess
  readonly #task: MemoryTaskIdentity
  readonly #owner: MemoryTransactionOptions
  readonly #phases: TransactionPhases = new TransactionPhases()
  #outputs: PlacedRecord[] = []
  #changelog: readonly ChangelogEntry[] = []
  /** How many of the outputs are on their way or there. */
  #sent = 0
  #sending: Promise<unknown> = Promise.resolve()
  #bytes = 0

  constructor(log: MemoryLog, process: TestProcess, task: MemoryTaskIdentity, owner: MemoryTransactionOptions) {
    this.#log = log
    this.#process = process
    this.#task = task
    this.#owner = owner
  }

  get bytes(): number {
    return this.#bytes
  }

  send(record: OutputRecord, guarantee: Guarantee): void {
    this.#phases.assertOpen()
    const placed = this.#log.ensureTopic(record.topic).place(record)
    this.#bytes += recordBytes(record)
    if (guarantee !== 'exactly-once') {
      if (this.#process.alive) this.#log.sendNow(placed)
      return
    }
    this.#outputs.push(placed)
    if (this.#log.openTransactions && this.#outputs.length - this.#sent >= produceBatch) this.#produce()
  }

  async prepare(changelog: readonly ChangelogEntry[]): Promise<number> {
    this.#refuse()
    // A batch that did not arrive fails the epoch here.
    if (this.#sent > 0) await this.#sending
    const prepare = once(() => {
      this.#phases.enter('prepared')
      this.#log.checkToken(this.#task, this.#owner.token)
      this.#changelog = changelog
      const { highWatermark } = this.#log.changelog(this.#task).partition(this.#task.partition)
      return this.#log.openTransactions
        ? this.#log.produce(this.#task, this.#owner.token, this.#outputs.slice(this.#sent), changelog)
        : highWatermark + changelog.length
    })
    return this.#process.call('transaction.prepare', () => this.#log.afterEnd(this.#task, prepare))
  }

  async commit(positions: Positions, metadata: CommitMetadata): Promise<void> {
    const commit = once(() => {
      this.#phases.enter('committing')
      const content = { outputs: this.#outputs, changelog: this.#changelog, positions, metadata }
      this.#log.commit(this.#task, this.#owner.token, content, this.#owner.topicIds)
      this.#phases.enter('committed')
      this.#owner.refusals.forget()
    })
    await this.#process.call('transaction.commit', commit)
    this.#owner.committed(metadata.changelogEnd)
  }

  async abort(): Promise<void> {
    // The second arrival of one request must not end the transaction that follows.
    const abort = once(() => {
      if (this.#phases.giveUp() === 'committed') return
      this.#outputs = []
      this.#changelog = []
      this.#log.abort(this.#task, this.#owner.token)
    })
    // An abort that may not have arrived leaves the transaction open: the next fence ends it.
    await this.#process.call('transaction.abort', abort).catch(() => {
      this.#owner.lost()
    })
  }

  /** What the log does not take is refused all together, and known to the replay. */
  #refuse(): void {
    let first: TidemarkError | null = null
    let count = 0
    for (const { topic, record } of this.#outputs) {
      const error = topic.refuses(record)
      if (error === null) continue
      this.#owner.refusals.learn(record, error)
      first ??= error
      count += 1
    }
    if (first !== null) throw new RecordsRefused(first, count)
  }

  /** Sends what waits, behind what was sent before. */
  #produce(): void {
    const batch = this.#outputs.slice(this.#sent)
    this.#sent = this.#outputs.length
    const store = once(() => {
      if (!this.#phases.over) this.#log.produce(this.#task, this.#owner.token, batch, [])
    })
    this.#sending = this.#sending.then(() =>
      this.#process.call('transaction.produce', () => this.#log.afterEnd(this.#task, store)),
    )
    this.#sending.catch(() => undefined)
  }
}
