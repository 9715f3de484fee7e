import type { Clock, Timer } from '../../core/ports/clock.ts'
import { asTidemarkError, type TidemarkError } from '../../core/errors.ts'
import { recordBytes, type RecordPosition, type StreamRecord } from '../../core/record.ts'
import type { TaskReader } from '../../core/ports/inputs.ts'

/** Why an epoch's source ended. */
export type CutReason = 'time' | 'records' | 'bytes' | 'end' | 'due' | 'stop' | 'failed'

/** Records emitted in one turn of the event loop; timers, I/O and other tasks get their turn after it. */
const recordsPerTurn = 256

export interface PumpLimits {
  /** ms from now at which the epoch is cut. */
  readonly cutAfterMs: number
  readonly maxRecords: number
  readonly maxBytes: number
}

/** What the pump drives: the sources of one attempt. */
export interface Pumped {
  readonly settled: boolean
  emit(record: StreamRecord): void
}

/**
 * Emits one epoch's records: from the reader's queue into the attempt's sources, while the gate is open, until the epoch is
 * cut by time, records or bytes, the input ends, the job stops, or the attempt fails. Yields to the event loop every few
 * hundred records.
 */
export class Pump {
  readonly #reader: TaskReader
  readonly #attempt: Pumped
  readonly #limits: PumpLimits
  readonly #clock: Clock
  readonly #gateClosed: () => boolean
  readonly #otherBytes: () => number
  records = 0
  #inputBytes = 0
  #turn = 0
  first: RecordPosition | null = null
  #cut: CutReason | null = null
  /** What reading or emitting has thrown, against the contracts of both; null: nothing. */
  failure: TidemarkError | null = null
  #emitting = false
  #waiting = false
  #resolve: ((reason: CutReason) => void) | null = null

  constructor(options: {
    readonly reader: TaskReader
    readonly attempt: Pumped
    readonly limits: PumpLimits
    readonly clock: Clock
    gateClosed(): boolean
    /** Bytes of outputs and state so far. */
    otherBytes(): number
  }) {
    this.#reader = options.reader
    this.#attempt = options.attempt
    this.#limits = options.limits
    this.#clock = options.clock
    this.#gateClosed = () => options.gateClosed()
    this.#otherBytes = () => options.otherBytes()
  }

  /** Emits until the epoch is cut; never rejects. The caller then lets the barrier pass. */
  run(): Promise<CutReason> {
    return new Promise((resolve) => {
      const timer: Timer = this.#clock.after(this.#limits.cutAfterMs, () => {
        this.cut('time')
      })
      this.#resolve = (reason) => {
        timer.cancel()
        resolve(reason)
      }
      this.#emit()
    })
  }

  /** Ends the epoch before the next record. */
  cut(reason: CutReason): void {
    this.#cut ??= reason
    // While records are being emitted, the loop sees the cut itself.
    if (!this.#emitting) this.#end()
  }

  /** Called when the gate has opened; emits again in a microtask, because an operator is still inside its own call. */
  gateOpened(): void {
    if (this.#resolve === null || this.#waiting) return
    this.#waiting = true
    queueMicrotask(() => {
      this.#waiting = false
      this.#emit()
    })
  }

  #emit(): void {
    if (this.#resolve === null || this.#emitting) return
    this.#emitting = true
    let paused: 'turn' | 'empty' | 'gate' | 'cut' = 'cut'
    try {
      paused = this.#emitWhilePossible()
    } catch (error) {
      // From a callback of a timer or of I/O it would end the process.
      this.failure = asTidemarkError(error, 'pipeline-failed', 'Reading or emitting threw')
      this.#cut = 'failed'
    }
    this.#emitting = false
    if (this.#cut !== null) {
      this.#end()
      return
    }
    if (paused === 'turn') {
      this.#turn = 0
      this.#clock.soon(() => {
        this.#emit()
      })
    } else if (paused === 'empty') {
      this.#reader.whenReadable(() => {
        this.#turn = 0
        this.#emit()
      })
    }
  }

  #emitWhilePossible(): 'turn' | 'empty' | 'gate' | 'cut' {
    while (this.#cut === null) {
      if (this.#gateClosed()) return 'gate'
      if (this.#turn >= recordsPerTurn) return 'turn'
      const record = this.#reader.next()
      if (record === undefined) {
        if (!this.#reader.done && this.#reader.failure === null) return 'empty'
        this.#cut = this.#reader.done ? 'end' : 'failed'
        break
      }
      this.#turn += 1
      this.records += 1
      this.#inputBytes += recordBytes(record)
      // Its position alone: the record may be large.
      this.first ??= { topic: record.topic, partition: record.partition, offset: record.offset }
      this.#attempt.emit(record)
      if (this.#attempt.settled) this.#cut = 'failed'
      else if (this.records >= this.#limits.maxRecords) this.#cut ??= 'records'
      else if (this.#inputBytes + this.#otherBytes() >= this.#limits.maxBytes) this.#cut ??= 'bytes'
    }
    return 'cut'
  }

  #end(): void {
    const resolve = this.#resolve
    this.#resolve = null
    resolve?.(this.#cut ?? 'failed')
  }
}
