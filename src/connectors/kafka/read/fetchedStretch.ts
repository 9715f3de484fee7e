import type { UnreadableStretch } from './unreadableStretch.ts'
import type { FetchTarget } from './fetchTarget.ts'
import type { PackedBatches } from '../protocol/packedBatches.ts'

export interface FetchedStretchOptions {
  readonly target: FetchTarget
  readonly failing: UnreadableStretch
  readonly batches: PackedBatches
  readonly broker: number
}

/** What a broker has answered of one partition, handed over page by page while its target wants it. */
export class FetchedStretch {
  readonly broker: number
  readonly #target: FetchTarget
  readonly #failing: UnreadableStretch
  readonly #batches: PackedBatches
  #kept = false
  #busy = false
  /** Its target has let it begin. */
  #begun = false
  #closed = false

  constructor({ target, failing, batches, broker }: FetchedStretchOptions) {
    this.broker = broker
    this.#target = target
    this.#failing = failing
    this.#batches = batches
  }

  /** True while it is being handed over. */
  get busy(): boolean {
    return this.#busy
  }

  /** True when nothing is left of it. */
  get done(): boolean {
    return this.#closed || this.#batches.done
  }

  /** Whether its target lets it unpack something now; it is then handed over. */
  begin(): boolean {
    this.#begun ||= this.#target.beginUnpacking?.(this.#batches.pendingBytes) !== false
    return this.#begun
  }

  /**
   * Hands over what is wanted now and keeps the rest, packed, in memory of its own: the answer may go. `atOnce`: what comes in
   * pieces, which may take long, is left as well. True when the rest is to be fetched again, after a while.
   */
  async handOver(how: { readonly atOnce: boolean }): Promise<boolean> {
    this.#busy = true
    let isRefused = false
    while (!isRefused && !this.done && this.#target.wanted) {
      if (how.atOnce && this.#batches.inPieces) break
      if (!this.begin()) break
      isRefused = await this.#handPage(how)
      this.#tellHeld()
      this.#end()
    }
    this.#end()
    this.#busy = false
    if (this.#target.finished === true) this.close()
    if (!this.done && !this.#kept) {
      this.#batches.keep()
      this.#kept = true
    }
    this.#tellHeld()
    return isRefused
  }

  close(): void {
    this.#closed = true
    this.#batches.close()
  }

  #end(): void {
    if (!this.#begun) return
    this.#begun = false
    this.#target.endUnpacking?.()
  }

  #tellHeld(): void {
    this.#target.held?.(this.done ? 0 : this.#batches.heldBytes)
  }

  async #handPage(how: { readonly atOnce: boolean }): Promise<boolean> {
    const target = this.#target
    try {
      const { records, next, leaderEpoch } = await this.#batches.read(target.room, { ...how, asksForRoom: true })
      if (this.#closed || (records.length === 0 && next === target.offset)) return false
      this.#failing.passed()
      target.accept(records, next, leaderEpoch)
      return false
    } catch (error) {
      if (this.#closed) return false
      // Whether it is asked for again or passed: where the next batch begins is not known from one that cannot be read.
      this.close()
      return this.#failing.cannotRead(this.broker, error)
    }
  }
}
