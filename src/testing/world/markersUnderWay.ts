import type { Clock, Timer } from '../../core/ports/clock.ts'
import type { MemoryPartition } from './memoryTopic.ts'

/** How long the end of a transaction is under way. */
export interface MarkerTimes {
  /** The world's clock. */
  readonly clock: Clock
  /** Asked once for each place that a transaction has written, the committed offsets included. */
  afterMs(): number
}

/** Something that comes at a moment, or all at once. */
interface Arrival {
  readonly timer: Timer
  readonly arrive: () => void
}

/**
 * Ends of transactions on their way to the partitions. The coordinator has decided and said so; each partition's readers
 * see it at a moment of their own, and so do readers of the committed offsets. Until the last marker is written, the
 * transactional id neither begins another transaction nor changes its owner.
 */
export class MarkersUnderWay {
  readonly #times: MarkerTimes
  /** By transactional id, or by whose committed offsets they are. */
  readonly #ending: Map<string, Promise<void>> = new Map<string, Promise<void>>()
  readonly #arrivals: Set<Arrival> = new Set<Arrival>()

  constructor(times: MarkerTimes) {
    this.#times = times
  }

  /** Null: nothing is under way. */
  ended(name: string): Promise<void> | null {
    return this.#ending.get(name) ?? null
  }

  /** Committed offsets are pending for a while. */
  offsets(name: string): void {
    this.#endsIn(name, this.#times.afterMs())
  }

  /** `show` is told of partitions whose readers see the end now. */
  write(
    transactionalId: string,
    partitions: ReadonlySet<MemoryPartition>,
    show: (partitions: readonly MemoryPartition[]) => void,
  ): void {
    const moments = Map.groupBy(partitions, () => this.#times.afterMs())
    for (const [ms, seen] of moments) {
      this.#in(ms, () => {
        show(seen)
      })
    }
    this.#endsIn(transactionalId, this.#times.afterMs())
  }

  settle(): void {
    for (const { timer, arrive } of [...this.#arrivals]) {
      timer.cancel()
      arrive()
    }
  }

  #endsIn(name: string, ms: number): void {
    if (ms <= 0) return
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#ending.set(name, promise)
    this.#in(ms, () => {
      if (this.#ending.get(name) === promise) this.#ending.delete(name)
      resolve()
    })
  }

  #in(ms: number, act: () => void): void {
    if (ms <= 0) {
      act()
      return
    }
    const arrival: Arrival = {
      timer: this.#times.clock.after(ms, () => {
        arrival.arrive()
      }),
      arrive: () => {
        this.#arrivals.delete(arrival)
        act()
      },
    }
    this.#arrivals.add(arrival)
  }
}
