import type { Clock } from '../../../core/ports/clock.ts'
import { TidemarkError, asTidemarkError } from '../../../core/errors.ts'
import type { Logger } from '../../../core/ports/logger.ts'
import { formatPosition, type RecordPosition } from '../../../core/record.ts'
import { UnreadRecord } from '../../../core/unreadRecord.ts'
import type { FetchTarget } from './fetchTarget.ts'

/** Where something cannot be read, and where reading goes on for somebody who passes it. */
export interface Stretch {
  readonly offset: number
  readonly next: number
}

export interface UnreadableStretchOptions {
  readonly target: FetchTarget
  readonly clock: Clock
  readonly log: Logger
  /** What is damaged is asked for again for so long. */
  readonly damagedMs: number
  /** Ends the target. */
  end(error: TidemarkError): void
}

/** For so long a damaged batch is asked for that somebody has asked to pass: this time it may have been its way. */
const skippedMs = 5_000

/**
 * What of a partition cannot be read. What its broker cannot give, or gives damaged, is asked for again, told once, and once
 * when that is over; in the end, and where asking again is of no use, it ends the target, or is passed where that was asked for.
 */
export class UnreadableStretch {
  readonly #options: UnreadableStretchOptions
  #sinceMs: number | null = null
  #tries = 0

  constructor(options: UnreadableStretchOptions) {
    this.#options = options
  }

  /** Tells that a broker cannot give what stands at an offset. Returns for how long that has been so. */
  tell(broker: number, reason: string, offset = this.#options.target.offset): number {
    const { clock, log, target } = this.#options
    const { topic, partition } = target
    const now = clock.monotonicMs()
    if (this.#sinceMs === null) {
      this.#sinceMs = now
      this.#tries = 0
      const what = 'A broker cannot give the next records of a partition; they are asked for again'
      log.warn(what, { topic, partition, offset, broker, reason })
    }
    this.#tries += 1
    return now - this.#sinceMs
  }

  /** Something was read. */
  passed(): void {
    if (this.#sinceMs === null) return
    const { log, target } = this.#options
    const { topic, partition } = target
    log.info('The partition can be read again', { topic, partition, tries: this.#tries })
    this.#sinceMs = null
  }

  /** True when it is to be asked for again, after a while. */
  refused(broker: number, reason: string, at: Stretch): boolean {
    const { damagedMs } = this.#options
    const forMs = this.tell(broker, reason, at.offset)
    const isSkipped = this.#isSkipped(at)
    if (forMs < (isSkipped ? Math.min(skippedMs, damagedMs) : damagedMs)) return true
    const error = damagedBatch(this.#positionOf(at), { broker, reason, forMs, tries: this.#tries })
    if (isSkipped) this.#pass(error, at)
    else this.#options.end(error)
    return false
  }

  /** What decoding has thrown. True when it is to be asked for again, after a while. */
  cannotRead(broker: number, failure: unknown): boolean {
    const { target } = this.#options
    const error = asTidemarkError(failure, 'broken-invariant', `Reading ${formatPosition(target)} failed`)
    const { offset, next } = error.details
    if (typeof offset === 'number' && typeof next === 'number') {
      // The bytes may have been damaged on their way: the same stretch is fetched again.
      if (error.code === 'damaged-batch') return this.refused(broker, error.message, { offset, next })
      if (this.#isSkipped({ offset, next })) {
        this.#pass(error, { offset, next })
        return false
      }
    }
    this.#options.end(error)
    return false
  }

  #isSkipped({ offset }: Stretch): boolean {
    return this.#options.target.skips?.(offset) === true
  }

  #pass(error: TidemarkError, at: Stretch): void {
    const { target } = this.#options
    this.passed()
    const fields = { ...this.#positionOf(at), next: at.next, timestamp: -1, bytes: null, skipped: true }
    target.accept([new UnreadRecord(error, fields)], at.next, null)
  }

  #positionOf({ offset }: Stretch): RecordPosition {
    const { topic, partition } = this.#options.target
    return { topic, partition, offset }
  }
}

function damagedBatch(
  position: RecordPosition,
  refusals: { readonly broker: number; readonly reason: string; readonly forMs: number; readonly tries: number },
): TidemarkError {
  const { topic, partition, offset } = position
  const { broker, reason, forMs, tries } = refusals
  const seconds = String(Math.round(forMs / 1000))
  return new TidemarkError(
    'damaged-batch',
    `Broker ${String(broker)} cannot give the record at ${formatPosition(position)}, asked ${String(tries)} times in ${seconds} s: ${reason}. Look at that broker's log and disk, or let a replica lead the partition; what cannot be repaired is passed with --skip ${topic}:${String(partition)}@${String(offset)}, as a dead letter with its position`,
    { details: { topic, partition, offset, broker, tries } },
  )
}
