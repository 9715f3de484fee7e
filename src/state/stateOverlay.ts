import { TidemarkError } from '../core/errors.ts'
import { misuse, nameOf } from '../core/mistakes.ts'
import type { KeyedState, StateCodec } from '../core/ports/keyedState.ts'
import type { ChangelogEntry } from '../core/ports/changelog.ts'
import type { StateAttempt } from '../core/ports/taskState.ts'
import { statePrefix } from './changelogKey.ts'
import type { StateStore } from './stateStore.ts'

/** A changelog topic takes records of 16 MiB; this leaves room for the log's own overhead. */
export const maxStateEntryBytes: number = 16 * 1024 * 1024 - 64 * 1024

export interface StateOverlayOptions {
  /** Of the task's lineage; part of every key. */
  readonly generation: number
  /** Largest key and value together; default `maxStateEntryBytes`. */
  readonly maxEntryBytes?: number
}

/** What an operator of one uid has written in this attempt, by state key; null: deleted. */
type Writes = Map<string, Buffer | null>

/**
 * The keyed state of one epoch attempt: the committed state below, this attempt's writes above it in memory. A commit
 * takes the writes as `delta`; an abort just drops the overlay, so nothing of the attempt is left.
 *
 * A value is encoded when it is SET and decoded at each get; no object is ever kept. So what is committed is what the
 * value was at set(), whatever user code does to the object later; a value that was changed without set() is not changed
 * for the next record either, exactly as if the epoch had ended in between: where epochs are cut cannot show in the
 * results. It is also what lets a value that cannot be encoded, or is too large, be an error of its own record, and
 * makes `bytes` exact. The price is one encode and one decode a record, as with any store outside the heap.
 *
 * Memory: the last value of each key written in the epoch, counted by `bytes` for the epoch's limit. Reads keep nothing.
 */
export class StateOverlay implements StateAttempt {
  readonly #store: Pick<StateStore, 'get'>
  readonly #generation: number
  readonly #maxEntryBytes: number
  readonly #writes: Map<string, Writes> = new Map<string, Writes>()
  #bytes = 0
  #ended = false

  constructor(store: Pick<StateStore, 'get'>, { generation, maxEntryBytes = maxStateEntryBytes }: StateOverlayOptions) {
    this.#store = store
    this.#generation = generation
    this.#maxEntryBytes = maxEntryBytes
  }

  /**
   * The state of one operator; once per uid and attempt.
   *
   * `set` throws `state-too-large` for an entry over the limit, and what the codec throws. All three throw
   * `stale-context` after the attempt's end.
   */
  keyed<S>(uid: string, codec: StateCodec<S>): KeyedState<S> {
    this.#checkLive(uid)
    if (this.#writes.has(uid)) {
      throw new TidemarkError(
        'invalid-plan',
        `Two operators share the uid '${uid}'. Give each its own: it names its state.`,
      )
    }
    const writes: Writes = new Map()
    this.#writes.set(uid, writes)
    const prefix = statePrefix(this.#generation, uid)

    const write = (key: Buffer, value: Buffer | null): void => {
      const name = key.toString('latin1')
      const before = writes.get(name)
      if (before === undefined) this.#bytes += prefix.length + key.length
      this.#bytes += (value?.length ?? 0) - (before?.length ?? 0)
      writes.set(name, value)
    }

    return {
      get: (key) => {
        this.#checkLive(uid)
        const written = writes.get(key.toString('latin1'))
        if (written === null) return undefined
        // A copy: a codec may hand out parts of the bytes it is given, and user code may change them.
        if (written !== undefined) return codec.decode(Buffer.from(written))
        const stored = this.#store.get(Buffer.concat([prefix, key]))
        return stored === undefined ? undefined : codec.decode(Buffer.from(stored))
      },
      set: (key, value) => {
        this.#checkLive(uid)
        const bytes: unknown = codec.encode(value)
        if (!(bytes instanceof Uint8Array)) {
          throw misuse(
            `The state of '${uid}'`,
            `its codec's encode returned ${nameOf(bytes)}, and has to return a Buffer at once.`,
          )
        }
        const encoded = Buffer.from(bytes)
        const entryBytes = prefix.length + key.length + encoded.length
        if (entryBytes > this.#maxEntryBytes) throw tooLarge(uid, entryBytes, this.#maxEntryBytes)
        write(key, encoded)
      },
      delete: (key) => {
        this.#checkLive(uid)
        write(key, null)
      },
    }
  }

  /** Bytes of the delta so far. */
  get bytes(): number {
    return this.#bytes
  }

  /** The last value of each key written, in order of the first write, by operator. */
  delta(): ChangelogEntry[] {
    const entries: ChangelogEntry[] = []
    for (const [uid, writes] of this.#writes) {
      const prefix = statePrefix(this.#generation, uid)
      for (const [name, value] of writes) {
        entries.push({ key: Buffer.concat([prefix, Buffer.from(name, 'latin1')]), value })
      }
    }
    return entries
  }

  /** Ends the attempt: whatever still holds its state can neither read nor write it. The delta stays readable. */
  end(): void {
    this.#ended = true
  }

  #checkLive(uid: string): void {
    if (!this.#ended) return
    throw new TidemarkError(
      'stale-context',
      `State '${uid}' was used after its epoch attempt had ended. Use state only while a record is processed, not from a promise or timer that outlives it.`,
    )
  }
}

function tooLarge(uid: string, bytes: number, limit: number): TidemarkError {
  return new TidemarkError(
    'state-too-large',
    `A state entry of '${uid}' has ${String(bytes)} bytes, the changelog takes ${String(limit)}. Keep less per key, or split the value over several keys.`,
    { details: { uid, bytes, limit } },
  )
}
