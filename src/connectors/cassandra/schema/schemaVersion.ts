import type { Clock } from '../../../core/ports/clock.ts'
import type { CqlSession } from '../client/cqlSession.ts'

const selectVersion = "SELECT schema_version FROM system.local WHERE key = 'local'"

/** Age from which on the version is asked for beside the lookups that go on. */
const askAfterMs = 1_000
/** Age from which on lookups wait for the answer. */
const distrustAfterMs = 5_000
/** How long a change may take until all nodes have it. */
const settlesWithinMs = 5_000

/**
 * Whether the schemas that were read are still those of the cluster. Its schema has a version, which is one small read:
 * while lookups go on it is asked for once a second beside them, and after a silence before the first of them. Events of
 * the driver's control connection are not relied on: it misses those that come while it is cut off.
 */
export class SchemaVersion {
  readonly #session: Pick<CqlSession, 'execute'>
  readonly #clock: Clock
  #version: string | null = null
  #confirmedMs = -Infinity
  #changedMs = -Infinity
  #asking: Promise<void> | null = null
  #generation = 0

  constructor(session: Pick<CqlSession, 'execute'>, clock: Clock) {
    this.#session = session
    this.#clock = clock
  }

  /** Another one after each change that was seen. */
  get generation(): number {
    return this.#generation
  }

  /** Whether a change was seen a moment ago: nodes may still differ. */
  get isChanging(): boolean {
    return this.#clock.monotonicMs() - this.#changedMs < settlesWithinMs
  }

  /** False: `confirm` first. */
  get trusted(): boolean {
    const ageMs = this.#clock.monotonicMs() - this.#confirmedMs
    if (ageMs > distrustAfterMs) return false
    // Whether that fails shows when the version is too old to be trusted.
    if (ageMs > askAfterMs) this.confirm().catch(() => undefined)
    return true
  }

  /** Rejects as the session does. */
  confirm(): Promise<void> {
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = null
    })
    return this.#asking
  }

  async #ask(): Promise<void> {
    const sentMs = this.#clock.monotonicMs()
    const { rows } = await this.#session.execute({ cql: selectVersion, values: [], systemTable: true })
    const version = rows[0]?.[0]?.toString('hex') ?? null
    if (version !== this.#version) {
      this.#generation += 1
      if (this.#version !== null) this.#changedMs = sentMs
    }
    this.#version = version
    this.#confirmedMs = sentMs
  }
}
