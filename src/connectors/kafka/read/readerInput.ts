import { TidemarkError } from '../../../core/errors.ts'
import type { Logger } from '../../../core/ports/logger.ts'
import { formatPosition, type RecordPosition, type StreamRecord } from '../../../core/record.ts'
import { UnreadRecord } from '../../../core/unreadRecord.ts'
import type { FetchTarget } from './fetchTarget.ts'
import { inputGoneInKafka } from '../log/inputTopics.ts'

/** The reader of a task, as its inputs see it. */
interface InputReader {
  readonly hungry: boolean
  readonly room: number
  beginUnpacking(input: ReaderInput, bytes: number): boolean
  endUnpacking(): void
  add(input: ReaderInput, records: readonly StreamRecord[], next: number, leaderEpoch: number | null): void
  held(bytes: number): void
  failed(error: TidemarkError): void
}

/** One input of the task. `offset` runs ahead of `position`, which counts what was handed out. */
export class ReaderInput implements FetchTarget {
  readonly topic: string
  readonly topicId: string | null
  readonly partition: number
  readonly until: number
  readonly skipped: ReadonlySet<number>
  readonly log: Logger
  readonly #reader: InputReader
  #heldBytes = 0
  offset: number
  position: number
  leaderEpoch: number | null

  constructor(
    reader: InputReader,
    {
      topic,
      topicId,
      partition,
      position,
      until,
      leaderEpoch,
      skipped,
      log,
    }: Readonly<
      Pick<ReaderInput, 'topic' | 'topicId' | 'partition' | 'position' | 'until' | 'leaderEpoch' | 'skipped' | 'log'>
    >,
  ) {
    this.#reader = reader
    this.topic = topic
    this.topicId = topicId
    this.partition = partition
    this.leaderEpoch = leaderEpoch
    this.skipped = skipped
    this.log = log
    this.offset = position
    this.position = position
    this.until = until
  }

  get finished(): boolean {
    return this.offset >= this.until
  }

  get wanted(): boolean {
    return !this.finished && this.#reader.hungry
  }

  get room(): number {
    return this.#reader.room
  }

  beginUnpacking(bytes: number): boolean {
    return this.#reader.beginUnpacking(this, bytes)
  }

  endUnpacking(): void {
    this.#reader.endUnpacking()
  }

  skips(offset: number): boolean {
    return this.skipped.has(offset)
  }

  held(bytes: number): void {
    this.#reader.held(bytes - this.#heldBytes)
    this.#heldBytes = bytes
  }

  accept(records: readonly StreamRecord[], next: number, leaderEpoch: number | null): void {
    const [first, last] = [records[0], records.at(-1)]
    if (last !== undefined && last.offset >= next) throw wrongEnd(last, next)
    if (next <= this.offset) return
    if (first !== undefined && first.offset < this.offset) throw wrongStart(first, this.offset)
    for (const offset of this.skipped) if (offset >= this.offset && offset < next) this.#tellOfSkip(offset, records)
    this.offset = next
    this.#reader.add(this, records, next, leaderEpoch)
  }

  #tellOfSkip(offset: number, records: readonly StreamRecord[]): void {
    if (records.some((record) => record instanceof UnreadRecord && record.offset === offset)) return
    const { topic, partition } = this
    this.log.warn('--skip names a position where nothing is that cannot be read; it is read as usual', {
      topic,
      partition,
      offset,
    })
  }

  fail(error: TidemarkError): void {
    this.#reader.failed(error.code === 'unknown-topic' ? inputGoneInKafka(this.topic) : error)
  }
}

/** A position before what was handed out would be committed with its outputs. */
function wrongEnd(last: RecordPosition, next: number): TidemarkError {
  return new TidemarkError(
    'broken-invariant',
    `Reading has brought the record ${formatPosition(last)} and would go on at ${String(next)}, which is not behind it`,
  )
}

function wrongStart(first: RecordPosition, offset: number): TidemarkError {
  return new TidemarkError(
    'broken-invariant',
    `Reading has brought the record ${formatPosition(first)} again: it had gone on to ${String(offset)}`,
  )
}
