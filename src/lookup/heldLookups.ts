import type { Clock, Timer } from '../core/ports/clock.ts'
import { Deadlines } from './deadlines.ts'
import type { LookupEntry } from './lookupEntry.ts'

/** What `HeldLookups` needs of the queue it belongs to. */
export interface HeldLookupsSpec<V, R> {
  readonly clock: Clock
  /** How long a system may say nothing before that is an outage. */
  readonly timeoutMs: number
  readonly probe: () => Promise<void>
  /** The next number on the queue's count of events. */
  readonly tick: () => number
  /** The system has answered something that was sent after this record had been held. */
  readonly release: (entry: LookupEntry<V, R>) => void
  /** Told when the first record is held, and when the last one is let go. */
  readonly silent: (isSilent: boolean) => void
  /** The system has answered nothing that was sent after this record had been held, for `timeoutMs`. */
  readonly outage: (entry: LookupEntry<V, R>) => void
}

/** How long one probe is waited for before the next is sent beside it, at most; a fifth of the timeout if that is less. */
const longestPatienceMs = 1_000

/**
 * Records whose lookup failed while it is not known whether it is their fault or the system's, and records that wait for
 * their turn so long that the system may be at fault. A record is let go by the first answer to anything that was sent
 * after it was held; while there is no such answer, probes are sent.
 */
export class HeldLookups<V, R> {
  readonly #spec: HeldLookupsSpec<V, R>
  readonly #held: Deadlines<LookupEntry<V, R>>
  readonly #patienceMs: number
  #patience: Timer | null = null
  #closed = false

  constructor(spec: HeldLookupsSpec<V, R>) {
    this.#spec = spec
    this.#held = new Deadlines(spec.clock, spec.timeoutMs, spec.outage)
    this.#patienceMs = Math.max(1, Math.min(longestPatienceMs, Math.floor(spec.timeoutMs / 5)))
  }

  hold(entry: LookupEntry<V, R>, now: number): void {
    entry.heldAt = this.#spec.tick()
    if (this.#held.oldest === null) this.#spec.silent(true)
    this.#held.add(entry, now)
    // With a probe on its way the next one follows its answer, or its patience: a probe per record would be a flood.
    if (this.#patience === null) this.#sendProbe()
  }

  /** The record is let go without the system having answered: it has got its turn, or what it was part of has ended. */
  drop(entry: LookupEntry<V, R>): void {
    this.#held.remove(entry)
    if (this.#held.oldest === null) this.#spec.silent(false)
  }

  /** Something sent at `sentAt` (on the count of events) has been answered. */
  answered(sentAt: number): void {
    for (let entry = this.#held.oldest; entry !== null && entry.heldAt < sentAt; entry = this.#held.oldest) {
      this.#held.remove(entry)
      if (this.#held.oldest === null) this.#spec.silent(false)
      this.#spec.release(entry)
    }
  }

  close(): void {
    this.#closed = true
    this.#patience?.cancel()
    this.#patience = null
    this.#held.close()
  }

  #sendProbe(): void {
    const sentAt = this.#spec.tick()
    const patience = this.#spec.clock.after(this.#patienceMs, () => {
      this.#patience = null
      this.#probeAgain()
    })
    this.#patience = patience
    // A client that throws instead of rejecting makes a rejected promise here.
    new Promise<void>((resolve) => {
      resolve(this.#spec.probe())
    }).then(
      () => {
        if (this.#closed) return
        this.answered(sentAt)
        if (this.#patience !== patience) return
        patience.cancel()
        this.#patience = null
        this.#probeAgain()
      },
      () => {
        // Not an answer. The next probe goes out when the patience with this one ends.
      },
    )
  }

  #probeAgain(): void {
    if (!this.#closed && this.#held.oldest !== null) this.#sendProbe()
  }
}
