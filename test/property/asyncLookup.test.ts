import { fc, test } from '@fast-check/vitest'
import { describe, expect } from 'vitest'
import type { LookupOutcome } from '../../src/core/ports/lookup.ts'
import { Outage } from '../../src/core/outage.ts'
import { seededRandom } from '../../src/testing/world/seededRandom.ts'
import { LookupStub, overloaded, rowOf, unknownTable, type StubRequest } from '../support/lookupStub.ts'
import { runLookup, type LookupRun } from '../support/lookupRun.ts'

/** What happens next to a run; numbers choose among what is there. */
type Happening =
  | { readonly kind: 'push'; readonly count: number; readonly pastGate: boolean }
  | { readonly kind: 'answer'; readonly which: number; readonly outcomes: readonly Outcome[] }
  | { readonly kind: 'reject'; readonly which: number }
  | { readonly kind: 'begin' | 'wait'; readonly which: number }
  | { readonly kind: 'probe'; readonly which: number; readonly answers: boolean }
  | { readonly kind: 'pass'; readonly ms: number }

type Outcome = 'hit' | 'miss' | 'busy' | 'bad'

const happening: fc.Arbitrary<Happening> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('push'), count: fc.integer({ min: 1, max: 9 }), pastGate: fc.boolean() }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('answer'),
      which: fc.nat(),
      outcomes: fc.array(fc.constantFrom<Outcome>('hit', 'hit', 'miss', 'busy', 'bad'), { minLength: 1, maxLength: 5 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('reject'), which: fc.nat() }) },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constantFrom('begin', 'begin', 'begin', 'wait'), which: fc.nat() }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('probe'), which: fc.nat(), answers: fc.boolean() }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('pass'), ms: fc.integer({ min: 0, max: 700 }) }) },
)

const scenario = fc.record({
  ordered: fc.boolean(),
  groups: fc.boolean(),
  probes: fc.boolean(),
  turns: fc.boolean(),
  batch: fc.constantFrom('auto' as const, 'off' as const, 3),
  capacity: fc.integer({ min: 1, max: 12 }),
  reads: fc.integer({ min: 1, max: 5 }),
  rateLimit: fc.constantFrom(null, 50),
  attempts: fc.integer({ min: 1, max: 3 }),
  seed: fc.nat(),
  happenings: fc.array(happening, { maxLength: 60 }),
})

/** Follows one run, and checks after every step what must always hold. */
class Watch {
  readonly run: LookupRun
  readonly stub: LookupStub
  readonly reads: number
  readonly ordered: boolean
  /** Values in the order in which they left, by either way. */
  readonly left: number[] = []
  pushed = 0
  #seenOutputs = 0
  #seenDeadLetters = 0

  constructor(run: LookupRun, stub: LookupStub, reads: number, ordered: boolean) {
    this.run = run
    this.stub = stub
    this.reads = reads
    this.ordered = ordered
    run.deadLetters.records$.subscribe(({ offset }) => this.left.push(offset))
    const push = run.outputs.push.bind(run.outputs)
    run.outputs.push = (...records) => {
      for (const record of records) this.left.push(record.offset)
      return push(...records)
    }
  }

  check(): void {
    const { run, stub } = this
    expect(new Set(this.left).size).toBe(this.left.length)
    expect(run.step.pending).toBe(this.pushed - this.left.length)
    if (this.ordered) expect(this.left).toEqual(this.left.map((_, index) => index))
    expect(run.statistics.inFlight).toBeLessThanOrEqual(this.reads)
    expect(run.statistics.inFlight + run.statistics.abandoned).toBe(stub.open.length)
    for (const { offset, value } of run.outputs.slice(this.#seenOutputs)) {
      expect(value.message).toBe(offset)
      expect([`row ${String(offset)}`, null]).toContain(value.row)
    }
    for (const { error } of run.deadLetters.emitted.slice(this.#seenDeadLetters)) {
      expect(['unknown-table', 'lookup-failed', 'lookup-timeout']).toContain(error.code)
    }
    this.#seenOutputs = run.outputs.length
    this.#seenDeadLetters = run.deadLetters.emitted.length
  }
}

function outcomeOf(outcome: Outcome, value: number): LookupOutcome<string> {
  if (outcome === 'hit') return rowOf(value)
  if (outcome === 'miss') return { kind: 'miss' }
  return { kind: 'error', error: outcome === 'busy' ? overloaded() : unknownTable() }
}

function choose<T>(items: readonly T[], which: number): T | undefined {
  return items[which % Math.max(1, items.length)]
}

async function happen(watch: Watch, event: Happening): Promise<void> {
  const { run, stub } = watch
  switch (event.kind) {
    case 'push':
      for (let count = 0; count < event.count && (event.pastGate || !run.attempt.gate.closed); count += 1) {
        run.push(watch.pushed)
        watch.pushed += 1
      }
      break
    case 'answer': {
      const request: StubRequest | undefined = choose(stub.open, event.which)
      request?.answer(request.values.map((value, index) => outcomeOf(choose(event.outcomes, index) ?? 'hit', value)))
      break
    }
    case 'reject':
      choose(stub.open, event.which)?.reject(new Error('rejected'))
      break
    case 'begin':
      choose(stub.open, event.which)?.turn?.begins()
      break
    case 'wait':
      choose(stub.open, event.which)?.turn?.waits()
      break
    case 'probe': {
      const probe = choose(stub.probes, event.which)
      if (event.answers) probe?.answer()
      else probe?.fail()
      break
    }
    case 'pass':
      await run.clock.advance(event.ms)
  }
  await run.clock.settle()
}

describe('asyncLookup under any mix of answers, failures, retries, timeouts and late answers', () => {
  test.prop([scenario], { numRuns: 400 })('lets each record leave exactly once, within its limits', async (given) => {
    const { ordered, groups, probes, turns, batch, capacity, reads, rateLimit, attempts, seed, happenings } = given
    const stub = new LookupStub({ groups, probes, turns })
    const options = {
      wait: ordered ? 'ordered' : 'unordered',
      batch,
      capacity,
      reads,
      rateLimit,
      timeoutMs: 1_000,
      retry: { attempts, initialDelayMs: 50, maxDelayMs: 400 },
    } as const
    const run = runLookup(stub, options, { random: seededRandom(seed) })
    const watch = new Watch(run, stub, reads, ordered)
    for (const event of happenings) {
      await happen(watch, event)
      if (run.end.error !== undefined) break
      watch.check()
    }
    if (run.end.error === undefined) run.source$.complete()
    // From here on the system answers everything. The rate limit bounds how long that can take.
    for (let turn = 0; turn < 400 && run.end.error === undefined && !run.end.completed; turn += 1) {
      for (const request of stub.open) request.hit()
      for (const probe of stub.probes) probe.answer()
      await run.clock.advance(turn === 0 ? 0 : 25)
      watch.check()
    }
    if (run.end.error === undefined) {
      expect(run.end.completed).toBe(true)
      expect([...watch.left].sort((a, b) => a - b)).toEqual(Array.from({ length: watch.pushed }, (_, index) => index))
      expect(run.step.pending).toBe(0)
    } else {
      expect(probes).toBe(true)
      expect(run.end.error).toBeInstanceOf(Outage)
      expect(stub.requests.every(({ turn }) => turn?.wanted !== true)).toBe(true)
      expect(run.step.errors).toEqual([run.end.error])
      expect(run.step.pending).toBe(watch.pushed - watch.left.length)
    }
    expect(run.attempt.gate.closed).toBe(false)
    expect(run.clock.pending).toBe(0)
    expect(run.step.endings).toBe(1)
  })
})
