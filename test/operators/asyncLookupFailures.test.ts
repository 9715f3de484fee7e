import { describe, expect, it } from 'vitest'
import { from, lastValueFrom, toArray } from 'rxjs'
import { asyncLookup } from '../../operators/asyncLookup.ts'
import type { DeadLetter } from '../../src/core/deadLetter.ts'
import { TidemarkError } from '../../src/core/errors.ts'
import { attemptStub } from '../support/attemptStub.ts'
import { LookupStub, overloaded, unknownTable } from '../support/lookupStub.ts'
import { runLookup } from '../support/lookupRun.ts'
import { numberedRecords } from '../support/sampleRecord.ts'

describe('asyncLookup', () => {
  describe('errors', () => {
    it('makes a dead letter of a final error at once, without trying again', async () => {
      const stub = new LookupStub({ probes: true })
      const run = runLookup(stub)
      run.push(1)
      await run.clock.settle()
      stub.for(1).fail(unknownTable())
      await run.clock.settle()
      expect(run.codes()).toEqual(['unknown-table'])
      expect(run.attempt.tallies.get('dead-letters unknown-table')).toBe(1)
      expect(stub.requests).toHaveLength(1)
      expect(stub.probes).toHaveLength(0)
    })

    it('fails the epoch with the position of the record where there is no onError', async () => {
      const stub = new LookupStub()
      const run = runLookup(stub, { failing: true })
      run.push(1)
      await run.clock.settle()
      stub.for(1).fail(unknownTable())
      await run.clock.settle()
      expect(run.end.error).toMatchObject({
        code: 'unknown-table',
        message: expect.stringContaining('input-topic 0@1'),
      })
      expect(run.step.errors).toEqual([run.end.error])
    })

    it('ends the epoch when the client breaks its contract or an invariant', async () => {
      const short = runLookup({
        name: 'short',
        lookup: () => Promise.reject(new Error()),
        lookupMany: () => Promise.resolve([]),
      })
      short.push(1, 2)
      await short.clock.settle()
      expect(short.end.error).toMatchObject({
        code: 'broken-invariant',
        message: expect.stringContaining('0 outcomes for 2'),
      })

      const stub = new LookupStub()
      const run = runLookup(stub)
      run.push(1)
      await run.clock.settle()
      stub.for(1).fail(new TidemarkError('corrupt-store', 'The table is unreadable.'))
      await run.clock.settle()
      expect(run.end.error).toMatchObject({ code: 'corrupt-store' })
      expect(run.codes()).toEqual([])
    })

    it('ends the epoch when the side output refuses the dead letter', async () => {
      const stub = new LookupStub()
      const run = runLookup(stub)
      run.push(1)
      await run.clock.settle()
      run.deadLetters.complete()
      stub.for(1).fail(unknownTable())
      await run.clock.settle()
      expect(run.end.error).toMatchObject({ code: 'side-output-closed' })
    })

    it('takes what a lookup function throws for a final error, unless it says that it is retriable', async () => {
      const attempt = attemptStub()
      const calls: number[] = []
      const lookup = (value: number): Promise<string> => {
        calls.push(value)
        if (value === 1) throw new Error('thrown')
        const retriable = Object.assign(new Error('busy'), { retriable: true })
        if (value === 2 && calls.filter((call) => call === 2).length < 3) return Promise.reject(retriable)
        return Promise.resolve(`row ${String(value)}`)
      }
      const deadLetters = attempt.sideOutput<DeadLetter>('dead-letters')
      const retry = { initialDelayMs: 0, maxDelayMs: 0 }
      const looked$ = from(numberedRecords(3).slice(1)).pipe(
        asyncLookup(attempt.context, { lookup, wait: 'ordered', retry, onError: deadLetters }),
      )
      const rows = (await lastValueFrom(looked$.pipe(toArray()))).map(({ value }) => value.row)
      expect(rows).toEqual(['row 2'])
      expect(deadLetters.emitted.map(({ error }) => error.message)).toEqual([expect.stringContaining('thrown')])
      expect(calls).toEqual([1, 2, 2, 2])
    })
  })

  describe('retries', () => {
    it('tries a retriable error again after a growing delay, inside the timeout', async () => {
      const stub = new LookupStub()
      const random = { next: () => 1, hex: () => '' }
      const retry = { attempts: 4, initialDelayMs: 100, maxDelayMs: 300 }
      const run = runLookup(stub, { retry }, { random })
      run.push(1)
      await run.clock.settle()
      const sentMs: number[] = []
      for (const delayMs of [0, 100, 200, 300]) {
        await run.clock.advance(delayMs)
        sentMs.push(run.clock.now())
        expect(stub.open).toHaveLength(1)
        stub.for(1).fail(overloaded())
        await run.clock.settle()
      }
      expect(sentMs).toEqual([0, 100, 300, 600])
      expect(run.codes()).toEqual(['lookup-failed'])
      expect(run.deadLetters.emitted[0]?.error.message).toBe(
        'The lookup in stub failed after 4 tries: the stub is overloaded',
      )
      expect(run.statistics).toMatchObject({ retries: 3, requests: 4 })
    })

    it('gives the row of a try that succeeds', async () => {
      const stub = new LookupStub({ probes: true })
      const run = runLookup(stub)
      run.push(1)
      await run.clock.settle()
      stub.for(1).fail(overloaded())
      await run.clock.advance(50)
      stub.for(1).hit()
      await run.clock.settle()
      expect(run.values()).toEqual([1])
      expect(stub.probes).toHaveLength(0)
    })

    it('does not begin a try that could not end inside the timeout', async () => {
      const stub = new LookupStub()
      const run = runLookup(stub, { timeoutMs: 100, retry: { attempts: 10, initialDelayMs: 100, maxDelayMs: 100 } })
      run.push(1)
      await run.clock.advance(60)
      stub.for(1).fail(overloaded())
      await run.clock.settle()
      expect(run.codes()).toEqual(['lookup-failed'])
      expect(run.clock.now()).toBe(60)
    })
  })

  describe('timeouts', () => {
    it.each([5_000, -3_600_000])('are as long as before when the wall clock is set by %d ms', async (byMs) => {
      const stub = new LookupStub()
      const run = runLookup(stub, { timeoutMs: 1_000, reads: 2, rateLimit: 1_000, retry: { initialDelayMs: 100 } })
      run.push(1, 2)
      await run.clock.advance(150)
      run.clock.jump(byMs)
      stub.for(1).fail(overloaded())
      await run.clock.advance(200)
      expect(run.codes()).toEqual([])
      stub.for(1).hit()
      await run.clock.advance(600)
      expect([run.values(), run.codes()]).toEqual([[1], []])
      await run.clock.advance(100)
      expect(run.codes()).toEqual(['lookup-timeout'])
      run.push(3)
      await run.clock.advance(10)
      stub.for(3).hit()
      await run.clock.settle()
      expect(run.values()).toEqual([1, 3])
      expect(run.statistics.latency.sumMs).toBeLessThan(1_000)
    })

    it('ends a lookup that is never answered, frees its slot, and ignores the late answer', async () => {
      const stub = new LookupStub()
      const run = runLookup(stub, { timeoutMs: 5_000, reads: 1 })
      run.push(1, 2)
      await run.clock.advance(4_999)
      expect([run.codes(), stub.requests.length]).toEqual([[], 1])
      await run.clock.advance(1)
      expect(run.codes()).toEqual(['lookup-timeout'])
      expect(stub.requests).toHaveLength(2)
      expect(run.statistics).toMatchObject({ inFlight: 1, abandoned: 1, timeouts: 1 })
      stub.for(1).hit()
      stub.for(2).hit()
      await run.clock.settle()
      expect([run.values(), run.refused()]).toEqual([[2], [1]])
      expect(run.statistics).toMatchObject({ inFlight: 0, abandoned: 0 })
    })

    it('counts from the first request, so that waiting for a read fails nobody', async () => {
      const stub = new LookupStub()
      const run = runLookup(stub, { timeoutMs: 1_000, reads: 1 })
      run.push(1, 2, 3)
      for (const value of [1, 2, 3]) {
        await run.clock.advance(900)
        stub.for(value).hit()
        await run.clock.settle()
      }
      expect(run.values()).toEqual([1, 2, 3])
    })

    it('uses one timer for all deadlines', async () => {
      const stub = new LookupStub()
      const run = runLookup(stub, { capacity: 1_000, reads: 1_000 })
      for (let value = 0; value < 500; value += 1) run.push(value)
      await run.clock.settle()
      expect(stub.requests).toHaveLength(500)
      expect(run.clock.pending).toBe(1)
    })

    it('counts over all tries, also while a record rests between two', async () => {
      const stub = new LookupStub()
      const retry = { attempts: 5, initialDelayMs: 800, maxDelayMs: 800 }
      const run = runLookup(stub, { timeoutMs: 1_000, retry }, { random: { next: () => 0, hex: () => '' } })
      run.push(1)
      await run.clock.settle()
      stub.for(1).fail(overloaded())
      await run.clock.advance(400)
      expect(stub.requests).toHaveLength(2)
      await run.clock.advance(600)
      expect(run.codes()).toEqual(['lookup-timeout'])
    })
  })
})
