import { TidemarkError } from '../../src/core/errors.ts'
import type { LookupClient, LookupOutcome, LookupTurn } from '../../src/core/ports/lookup.ts'

/** One request that a `LookupStub` has been sent and that a test answers. */
export interface StubRequest {
  readonly values: readonly number[]
  /** Its way through the stub's bound, where that has turns. */
  readonly turn: LookupTurn | undefined
  answered: boolean
  hit(): void
  miss(): void
  fail(error: TidemarkError): void
  /** The system says that it cannot answer. */
  refuse(): void
  answer(outcomes: readonly LookupOutcome<string>[]): void
  reject(error: unknown): void
}

export interface LookupStubOptions {
  readonly groups?: boolean
  readonly maxGroup?: number
  readonly probes?: boolean
  /** Requests wait until a test says that they begin. */
  readonly turns?: boolean
}

/** A client whose answers a test gives by hand; a hit of value 7 is `row 7`. */
export class LookupStub implements LookupClient<number, string> {
  readonly name = 'stub'
  readonly requests: StubRequest[] = []
  readonly probes: { answer(): void; fail(): void }[] = []
  mostOpen = 0
  readonly hasTurns: boolean
  readonly lookupMany?: NonNullable<LookupClient<number, string>['lookupMany']>
  readonly maxGroup?: number
  readonly probe?: () => Promise<void>

  constructor({ groups = false, maxGroup, probes = false, turns = false }: LookupStubOptions = {}) {
    this.hasTurns = turns
    if (groups) this.lookupMany = (values, turn) => this.#request(values, turn)
    if (maxGroup !== undefined) this.maxGroup = maxGroup
    if (probes) this.probe = () => this.#probe()
  }

  async lookup(value: number, turn?: LookupTurn): Promise<LookupOutcome<string>> {
    const [outcome] = await this.#request([value], turn)
    if (outcome === undefined) throw new Error('the test gave no outcome')
    return outcome
  }

  get open(): StubRequest[] {
    return this.requests.filter((request) => !request.answered)
  }

  /** The youngest request for a value. */
  for(value: number): StubRequest {
    const request = this.requests.findLast(({ values }) => values.includes(value))
    if (request === undefined) throw new Error(`nothing was asked for ${String(value)}`)
    return request
  }

  #request(values: readonly number[], turn: LookupTurn | undefined): Promise<readonly LookupOutcome<string>[]> {
    return new Promise((resolve, reject) => {
      const answer = (outcomes: readonly LookupOutcome<string>[]): void => {
        request.answered = true
        resolve(outcomes)
      }
      const request: StubRequest = {
        values,
        turn,
        answered: false,
        answer,
        hit: () => {
          answer(values.map(rowOf))
        },
        miss: () => {
          answer(values.map(() => ({ kind: 'miss' })))
        },
        fail: (error) => {
          answer(values.map(() => ({ kind: 'error', error })))
        },
        refuse: () => {
          answer(values.map(() => ({ kind: 'error', error: overloaded(), unavailable: true })))
        },
        reject: (error) => {
          request.answered = true
          reject(error instanceof Error ? error : new Error(String(error)))
        },
      }
      this.requests.push(request)
      this.mostOpen = Math.max(this.mostOpen, this.open.length)
    })
  }

  #probe(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.probes.push({
        answer: resolve,
        fail: () => {
          reject(new Error('no route'))
        },
      })
    })
  }
}

export function rowOf(value: number): LookupOutcome<string> {
  return { kind: 'hit', result: `row ${String(value)}` }
}

/** Says nothing about the row: it is tried again. */
export function overloaded(): TidemarkError {
  return new TidemarkError('system-unreachable', 'the stub is overloaded', { retriable: true })
}

/** Concerns its request alone. */
export function unknownTable(): TidemarkError {
  return new TidemarkError('unknown-table', 'There is no such table.')
}
