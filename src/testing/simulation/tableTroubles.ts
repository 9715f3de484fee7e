import type { RowRequest } from '../../tables/rowLookup.ts'
import { parseExact } from '../../codecs/json/parseExact.ts'
import type { MemoryTables } from '../world/memoryTables.ts'
import type { CallFate } from '../world/testProcess.ts'
import type { SimulatedInputs } from './inputs.ts'
import type { Tolerance } from './invariants.ts'
import type { LookupBounds } from './worldPlan.ts'

/** What requests take in a world where nothing is wrong, and the delays between tries. */
const ordinaryMs = 1_000

/** What was done to the requests for one row. */
interface Trouble {
  failures: number
  delayedMs: number
  changed: boolean
}

/**
 * Keeps account of what was done to which rows: their requests were lost or delayed one by one, or the row itself changed.
 * Only a record that asks for such a row may end otherwise than without faults. What strikes all requests at a time is an
 * outage, and what strikes the process is not the system's: both may change nothing.
 */
export class TableTroubles implements Tolerance {
  readonly #tables: MemoryTables
  readonly #bounds: LookupBounds
  readonly #rowOf: (position: string) => string | null
  readonly #troubles: Map<string, Trouble> = new Map<string, Trouble>()

  /** @param rowOf the row that an input record asks for; null: it names none itself. */
  constructor(tables: MemoryTables, bounds: LookupBounds, rowOf: (position: string) => string | null) {
    this.#tables = tables
    this.#bounds = bounds
    this.#rowOf = rowOf
  }

  /** One request, single or group, goes such a way. */
  asked(requests: readonly RowRequest[], { lost, requestMs = 0, answerMs = 0 }: CallFate, heldMs: number): void {
    const delayedMs = requestMs + answerMs + heldMs
    const limitMs = this.#tables.bound?.requestTimeoutMs ?? Infinity
    const failed = lost !== undefined || delayedMs + this.#tables.latencyMs >= limitMs
    for (const request of requests) {
      const row = this.#tables.rowName(request)
      if (row === null) continue
      const trouble = this.#of(row)
      if (failed) trouble.failures += 1
      trouble.delayedMs += delayedMs
    }
  }

  rowChanged(row: string): void {
    this.#of(row).changed = true
  }

  lookupDeadLetter(position: string): boolean {
    return this.#concerns(position, (trouble) => this.#isTooMuch(trouble))
  }

  otherValue(position: string): boolean {
    return this.#concerns(position, ({ changed }) => changed)
  }

  get any(): boolean {
    return [...this.#troubles.values()].some((trouble) => trouble.changed || this.#isTooMuch(trouble))
  }

  #isTooMuch({ failures, delayedMs }: Trouble): boolean {
    const { timeoutMs, attempts } = this.#bounds
    return failures >= attempts || delayedMs >= timeoutMs - Math.min(ordinaryMs, timeoutMs / 2)
  }

  #of(row: string): Trouble {
    const trouble = this.#troubles.get(row) ?? { failures: 0, delayedMs: 0, changed: false }
    this.#troubles.set(row, trouble)
    return trouble
  }

  #concerns(position: string, isOne: (trouble: Trouble) => boolean): boolean {
    const row = this.#rowOf(position)
    if (row === null) return [...this.#troubles.values()].some(isOne)
    const trouble = this.#troubles.get(row)
    return trouble !== undefined && isOne(trouble)
  }
}

/** Says which row the record of an input position names, as `cassandraRow` reads it; null: none, or not in its own words. */
export function rowsNamedBy({ arrivals }: SimulatedInputs, tables: MemoryTables): (position: string) => string | null {
  const records = new Map(arrivals.map(({ position, record }) => [position, record]))
  const rows = new Map<string, string | null>()
  return (position) => {
    const known = rows.get(position)
    if (known !== undefined) return known
    const record = records.get(position)
    // A deletion names its row in its key.
    const row = namedRow(tables, record?.value ?? record?.key ?? null)
    rows.set(position, row)
    return row
  }
}

function namedRow(tables: MemoryTables, text: Buffer | null): string | null {
  try {
    // Keys may be numbers that a double does not hold.
    const parsed = parseExact(text?.toString() ?? 'null')
    return isRequest(parsed) ? tables.rowName(parsed) : null
  } catch {
    return null
  }
}

function isRequest(value: unknown): value is RowRequest {
  if (typeof value !== 'object' || value === null) return false
  return 'keyspace' in value && typeof value.keyspace === 'string' && 'tableName' in value
}
