import type { FollowerProgress } from '../../core/changelogRecords.ts'
import type { FollowerSink } from '../../core/context.ts'
import { TidemarkError } from '../../core/errors.ts'
import type { CheckpointId } from '../../core/ports/task.ts'
import type { EpochTransaction } from '../../core/ports/commitLog.ts'
import type { TaskWriteAheadLog } from '../../core/ports/writeAheadLog.ts'
import { encodeRowChunk, loggedBytes, type LoggedRow } from './rowChunk.ts'
import type { RefusedOrigin, RowSender, WrittenEpoch } from './rowSender.ts'

/** A chunk is appended before it would be larger; a row that is larger has one of its own. */
const chunkBytes = 256 * 1024
/** Of a chunk, besides its rows. */
const headerBytes = 1024

/** Which attempt at which epoch the rows are of, and where the time of its rows begins. */
export interface RowsOf extends CheckpointId {
  readonly lineage: string
  readonly baseMicros: number
}

/**
 * The rows for followers in one epoch attempt, and what of earlier ones it ticks off: that is decided when it begins, because
 * the dead letters of what was refused go through its pipeline.
 */
export class EpochRows {
  readonly #of: RowsOf
  readonly #transaction: Pick<EpochTransaction, 'send'>
  readonly #log: TaskWriteAheadLog
  readonly #sinks: readonly SinkRows[]

  constructor(
    of: RowsOf,
    transaction: Pick<EpochTransaction, 'send'>,
    log: TaskWriteAheadLog,
    senders: readonly RowSender[],
  ) {
    this.#of = of
    this.#transaction = transaction
    this.#log = log
    this.#sinks = senders.map((sender) => ({
      sender,
      ticked: [...sender.written],
      rows: [],
      waiting: 0,
      chunks: 0,
      bytes: 0,
      count: 0,
    }))
  }

  /** Rows that were refused since the last tick-off: dead letters of this epoch. */
  get refused(): readonly RefusedOrigin[] {
    return this.#sinks.flatMap(({ ticked }) => ticked.flatMap(({ refused }) => refused))
  }

  sink(uid: string): FollowerSink | undefined {
    const sink = this.#sinks.find(({ sender }) => sender.sink.sink === uid)
    if (sink === undefined) return undefined
    return {
      send: (row, origin) => {
        this.#add(sink, { row, origin })
      },
      refusal: (row, origin) => {
        const bytes = loggedBytes({ row, origin })
        const limit = this.#log.maxChunkBytes - headerBytes
        if (bytes <= limit) return null
        return new TidemarkError(
          'record-too-large',
          `A row of ${String(row.length)} bytes takes ${String(bytes)} in the write-ahead log with the record it came from, and the log takes ${String(limit)}`,
          { details: { bytes, limit } },
        )
      },
    }
  }

  /**
   * Logs what is left. Returns what is committed beside the offsets: where the time of the next epoch's rows begins, and how
   * far each sink is.
   *
   * @throws TidemarkError `system-unreachable` when a target has lost meanwhile what this epoch would tick off.
   */
  finish(): {
    readonly nonce: string
    readonly followerBaseMicros: number
    readonly followers: ReadonlyMap<string, FollowerProgress>
  } {
    let rows = 0
    for (const sink of this.#sinks) {
      if (sink.rows.length > 0) this.#append(sink, true)
      rows += sink.count
    }
    const progress = this.#sinks.map((sink) => [sink.sender.sink.sink, this.#progress(sink)] as const)
    const furthest = Math.max(...progress.map(([, { offset }]) => offset))
    return {
      nonce: this.#of.nonce,
      followerBaseMicros: this.#of.baseMicros + rows + 1,
      // A sink that has nothing in the log holds up no trimming.
      followers: new Map(
        progress.map(([uid, each]) => [uid, each.sent === each.logged ? { ...each, offset: furthest } : each]),
      ),
    }
  }

  #progress({ sender, ticked, chunks, bytes }: SinkRows): FollowerProgress {
    if (ticked.some((epoch, index) => sender.written[index] !== epoch)) {
      throw new TidemarkError(
        'system-unreachable',
        `The target of sink '${sender.sink.sink}' went back; its rows are written again`,
      )
    }
    const { sent, offset, logged, bytes: before } = sender.progress
    const last = ticked.at(-1)
    return {
      sent: last?.epoch ?? sent,
      offset: last?.end ?? offset,
      logged: chunks > 0 ? this.#of.epoch : logged,
      bytes: ticked.reduce((left, each) => left - each.bytes, before) + bytes,
    }
  }

  #add(sink: SinkRows, row: LoggedRow): void {
    const bytes = loggedBytes(row)
    // The last chunk says that it is, so one row at least waits for the end.
    if (sink.rows.length > 0 && sink.waiting + bytes > chunkBytes) this.#append(sink, false)
    sink.rows.push(row)
    sink.waiting += bytes
    sink.count += 1
  }

  #append(sink: SinkRows, last: boolean): void {
    const { sender, rows, chunks } = sink
    const { epoch, nonce, lineage, baseMicros } = this.#of
    const previous = sender.progress.logged
    const bytes = encodeRowChunk({ epoch, nonce, lineage, baseMicros, previous, index: chunks, last, rows })
    this.#log.append(this.#transaction, { sink: sender.sink.sink, bytes })
    sink.rows = []
    sink.waiting = 0
    sink.chunks += 1
    sink.bytes += bytes.length
  }
}

/** @throws TidemarkError `invalid-plan` for a sink that the plan does not have. */
export function rowsOf(rows: EpochRows | null, uid: string): FollowerSink {
  const sink = rows?.sink(uid)
  if (sink !== undefined) return sink
  throw new TidemarkError(
    'invalid-plan',
    `A sink with uid '${uid}' was made while the job runs, and not when it was planned. Make it at the top of pipeline(), not under a condition`,
  )
}

/** One sink in the attempt. */
interface SinkRows {
  readonly sender: RowSender
  readonly ticked: readonly WrittenEpoch[]
  /** Not in a chunk yet. */
  rows: LoggedRow[]
  waiting: number
  chunks: number
  bytes: number
  count: number
}
