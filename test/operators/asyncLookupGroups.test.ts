import { describe, expect, it } from 'vitest'
import type { LookupClient } from '../../src/core/ports/lookup.ts'
import { LookupStub, overloaded, rowOf } from '../support/lookupStub.ts'
import { runLookup } from '../support/lookupRun.ts'

describe('asyncLookup', () => {
  describe('groups', () => {
    it('asks singly while reads are free, and in growing groups of what waits when they are not', async () => {
      const stub = new LookupStub({ groups: true })
      const run = runLookup(stub, { reads: 1 })
      run.push(1)
      await run.clock.settle()
      run.push(2, 3)
      run.push(4)
      await run.clock.settle()
      expect(stub.requests.map(({ values }) => values)).toEqual([[1]])
      stub.for(1).hit()
      await run.clock.settle()
      expect(stub.requests.map(({ values }) => values)).toEqual([[1], [2, 3, 4]])
      stub.for(2).hit()
      await run.clock.settle()
      expect(run.values()).toEqual([1, 2, 3, 4])
    })

    it.each([
      ['auto', 10, 1_000, 700, [250, 250, 200]],
      ['auto', 10, 50, 40, [16, 16, 8]],
      ['auto', 2, 200, 180, [90, 90]],
      ['off', 5, 1_000, 3, [1, 1, 1]],
      [7, 10, 1_000, 16, [7, 7, 2]],
      [500, 10, 1_000, 45, [20, 20, 5]],
    ] as const)(
      'cuts groups by batch %s with %i reads and room for %i: %i records',
      async (batch, reads, capacity, count, sizes) => {
        const stub = new LookupStub({ groups: true, ...(batch === 500 ? { maxGroup: 20 } : {}) })
        const run = runLookup(stub, { batch, reads, capacity })
        for (let value = 0; value < count; value += 1) run.push(value)
        await run.clock.settle()
        expect(stub.requests.map(({ values }) => values.length)).toEqual(sizes)
      },
    )

    it('tries a member that failed by itself, and keeps what the others got', async () => {
      const stub = new LookupStub({ groups: true, probes: true })
      const run = runLookup(stub)
      run.push(1, 2, 3)
      await run.clock.settle()
      stub.for(1).answer([rowOf(1), { kind: 'error', error: overloaded() }, rowOf(3)])
      await run.clock.advance(50)
      expect(run.values()).toEqual([1, 3])
      expect(stub.for(2).values).toEqual([2])
      stub.for(2).hit()
      await run.clock.settle()
      expect(run.values()).toEqual([1, 3, 2])
    })

    it('splits a group that one slow row keeps from answering, so that its neighbours do not time out', async () => {
      const stub = new LookupStub({ groups: true })
      const run = runLookup(stub, { timeoutMs: 1_000, retry: { attempts: 1 } })
      run.push(1, 2, 3)
      await run.clock.advance(500)
      expect(stub.requests.map(({ values }) => values)).toEqual([[1, 2, 3], [1], [2], [3]])
      stub.for(1).hit()
      stub.for(3).hit()
      await run.clock.advance(500)
      expect([run.values(), run.refused()]).toEqual([[1, 3], [2]])
      expect(run.codes()).toEqual(['lookup-timeout'])
      expect(run.statistics).toMatchObject({ inFlight: 0, abandoned: 2 })
    })

    it('does not count the split of a group as a try', async () => {
      const stub = new LookupStub({ groups: true })
      const run = runLookup(stub, { timeoutMs: 1_000, retry: { attempts: 2, initialDelayMs: 10 } })
      run.push(1, 2)
      await run.clock.advance(500)
      for (const value of [1, 2]) stub.for(value).fail(overloaded())
      await run.clock.advance(10)
      for (const value of [1, 2]) stub.for(value).hit()
      await run.clock.settle()
      expect(run.values()).toEqual([1, 2])
    })
  })

  describe('rate limit', () => {
    it.each([7, 100, 2_500])('keeps %i lookups per second within 5 percent over ten seconds', async (rateLimit) => {
      const stub: LookupClient<number, string> & { count: number } = {
        name: 'stub',
        count: 0,
        lookup(value) {
          this.count += 1
          return Promise.resolve(rowOf(value))
        },
      }
      const run = runLookup(stub, { rateLimit, capacity: 1_000 })
      for (let elapsedMs = 0; elapsedMs < 10_000; elapsedMs += 100) {
        while (!run.attempt.gate.closed) run.push(0)
        await run.clock.advance(50)
        while (!run.attempt.gate.closed) run.push(0)
        await run.clock.advance(50)
      }
      expect(stub.count).toBeGreaterThan(rateLimit * 10 * 0.95)
      expect(stub.count).toBeLessThan(rateLimit * 10 * 1.05)
    })

    it('goes on over epochs, and counts each member of a group', async () => {
      const kept = new Map<string, unknown>()
      const stub = new LookupStub({ groups: true })
      const first = runLookup(stub, { rateLimit: 1_000, capacity: 1_000, reads: 1_000 }, { kept })
      for (let value = 0; value < 100; value += 1) first.push(value)
      await first.clock.advance(1_000)
      const asked = stub.requests.flatMap(({ values }) => values).length
      expect(asked).toBe(100)
      first.subscription.unsubscribe()
      const second = runLookup(stub, { rateLimit: 1_000, reads: 1_000 }, { kept, clock: first.clock })
      for (let value = 0; value < 100; value += 1) second.push(value)
      await second.clock.settle()
      expect(stub.requests.flatMap(({ values }) => values).length - asked).toBeLessThanOrEqual(41)
    })
  })
})
