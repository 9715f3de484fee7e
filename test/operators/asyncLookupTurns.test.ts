import { describe, expect, it } from 'vitest'
import { Outage } from '../../src/core/outage.ts'
import { TestLogger } from '../../src/testing/kit/testLogger.ts'
import { LookupStub, overloaded } from '../support/lookupStub.ts'
import { runLookup, type LookupRun } from '../support/lookupRun.ts'

function total(counts: readonly number[]): number {
  return counts.reduce((sum, count) => sum + count)
}

/** Lets time pass with all probes answered. */
async function passAnswered(run: LookupRun, stub: LookupStub, ms: number): Promise<void> {
  for (let passedMs = 0; passedMs < ms; passedMs += 100) {
    await run.clock.advance(100)
    for (const probe of stub.probes) probe.answer()
    await run.clock.settle()
  }
}

describe('asyncLookup with a client that lets requests wait', () => {
  it('takes no wait for a timeout: what is sent after a minute is answered, at the first try', async () => {
    const stub = new LookupStub({ turns: true, probes: true })
    const run = runLookup(stub, { timeoutMs: 1_000 })
    run.push(1, 2)
    await passAnswered(run, stub, 60_000)
    expect(stub.requests.map(({ turn }) => turn?.wanted)).toEqual([true, true])
    for (const request of stub.requests) request.turn?.begins()
    await run.clock.advance(900)
    for (const request of stub.open) request.hit()
    await run.clock.settle()
    expect(run.values()).toEqual([1, 2])
    expect(run.statistics).toMatchObject({ requests: 2, lookups: 2, retries: 0, timeouts: 0, outages: 0 })
    expect([run.statistics.latency.sumMs, total(run.statistics.latency.counts)]).toEqual([1_800, 2])
    run.source$.complete()
    expect(run.clock.pending).toBe(0)
  })

  it('times a record out when its request was under way for the timeout', async () => {
    const stub = new LookupStub({ turns: true })
    const run = runLookup(stub, { timeoutMs: 1_000 })
    run.push(1)
    await run.clock.advance(5_000)
    stub.for(1).turn?.begins()
    await run.clock.advance(999)
    expect(run.codes()).toEqual([])
    await run.clock.advance(1)
    expect(run.codes()).toEqual(['lookup-timeout'])
    expect(stub.for(1).turn?.wanted).toBe(false)
  })

  it('counts the time under way and between tries over all tries, and no wait for the next one', async () => {
    const stub = new LookupStub({ turns: true, probes: true })
    const retry = { attempts: 3, initialDelayMs: 100, maxDelayMs: 100 }
    const run = runLookup(stub, { timeoutMs: 1_000, retry }, { random: { next: () => 1, hex: () => '' } })
    run.push(1)
    await run.clock.settle()
    stub.for(1).turn?.begins()
    await run.clock.advance(600)
    stub.for(1).fail(overloaded())
    await run.clock.settle()
    await passAnswered(run, stub, 20_000)
    expect(stub.requests).toHaveLength(2)
    stub.for(1).turn?.begins()
    // 600 ms of the first try, and 100 ms before the second.
    await run.clock.advance(299)
    expect(run.statistics.timeouts).toBe(0)
    await run.clock.advance(1)
    expect(run.statistics.timeouts).toBe(1)
    stub.probes.at(-1)?.answer()
    await run.clock.settle()
    expect([stub.requests.length, run.codes()]).toEqual([3, []])
    stub.for(1).hit()
    await run.clock.settle()
    expect(run.values()).toEqual([1])
    run.source$.complete()
    expect(run.clock.pending).toBe(0)
  })

  it('gives a request that failed before it was sent its tries, whatever time has passed', async () => {
    const stub = new LookupStub({ turns: true, probes: true })
    const run = runLookup(stub, { timeoutMs: 1_000, retry: { attempts: 2 } })
    run.push(1)
    await passAnswered(run, stub, 3_000)
    stub.for(1).fail(overloaded())
    await passAnswered(run, stub, 3_000)
    expect([stub.requests.length, total(run.statistics.latency.counts)]).toEqual([2, 0])
    stub.for(1).turn?.begins()
    stub.for(1).hit()
    await run.clock.settle()
    expect(run.values()).toEqual([1])
    run.source$.complete()
    expect(run.clock.pending).toBe(0)
  })

  it('splits a group by the time since all of it was sent, and not while some of it waits again', async () => {
    const stub = new LookupStub({ turns: true, probes: true, groups: true })
    const run = runLookup(stub, { timeoutMs: 1_000 })
    run.push(1, 2, 3)
    await passAnswered(run, stub, 3_000)
    const [group] = stub.requests
    group?.turn?.begins()
    await passAnswered(run, stub, 400)
    group?.turn?.waits()
    await passAnswered(run, stub, 3_000)
    group?.turn?.begins()
    await passAnswered(run, stub, 400)
    expect(stub.requests).toHaveLength(1)
    await passAnswered(run, stub, 100)
    expect(stub.requests.map(({ values }) => values)).toEqual([[1, 2, 3], [1], [2], [3]])
    expect(group?.turn?.wanted).toBe(false)
    // 400 and 500 ms are used up.
    for (const value of [1, 2, 3]) stub.for(value).turn?.begins()
    stub.for(1).hit()
    stub.for(3).hit()
    await passAnswered(run, stub, 100)
    expect(run.statistics.timeouts).toBe(1)
    stub.for(2).turn?.begins()
    await passAnswered(run, stub, 1_000)
    expect([run.values(), run.refused()]).toEqual([[1, 3], [2]])
  })

  it('wants nothing any more that is unsent when the attempt ends, and takes no notice of a late turn', async () => {
    const stub = new LookupStub({ turns: true, groups: true, probes: true })
    const run = runLookup(stub, { batch: 2 })
    run.push(1, 2, 3, 4)
    await run.clock.settle()
    run.subscription.unsubscribe()
    expect(stub.requests.map(({ turn }) => turn?.wanted)).toEqual([false, false])
    for (const request of stub.requests) {
      request.turn?.begins()
      request.turn?.waits()
      request.hit()
    }
    await run.clock.settle()
    expect(run.values()).toEqual([])
    expect([run.clock.pending, run.statistics.inFlight, run.statistics.abandoned]).toEqual([0, 0, 0])
  })

  it.each([0, 1, 10])(
    'finds an outage in twice the timeout when nothing is answered and of 50 requests %i are sent',
    async (sent) => {
      const stub = new LookupStub({ turns: true, probes: true })
      const run = runLookup(stub, { timeoutMs: 5_000, reads: 50 })
      for (let value = 0; value < 50; value += 1) run.push(value)
      await run.clock.settle()
      for (const request of stub.requests.slice(0, sent)) request.turn?.begins()
      await run.clock.advance(9_999)
      expect([run.end.error, run.step.unreachable]).toEqual([undefined, 'stub'])
      await run.clock.advance(1)
      expect(run.end.error).toBeInstanceOf(Outage)
      expect([run.codes(), run.step.pending, run.clock.pending]).toEqual([[], 50, 0])
    },
  )

  it('finds an outage when the client ends what it has sent before the timeout, and tries again wait', async () => {
    const stub = new LookupStub({ turns: true, probes: true })
    const run = runLookup(stub, { timeoutMs: 5_000, reads: 50 })
    for (let value = 0; value < 50; value += 1) run.push(value)
    for (let ms = 0; ms < 15_000 && run.end.error === undefined; ms += 2_000) {
      await run.clock.settle()
      const turn = stub.open.slice(0, 4)
      for (const request of turn) request.turn?.begins()
      await run.clock.advance(2_000)
      for (const request of turn) request.fail(overloaded())
    }
    expect(run.end.error).toBeInstanceOf(Outage)
    expect(run.clock.now()).toBeLessThanOrEqual(12_000)
    expect(run.codes()).toEqual([])
  })

  it('asks once more for a record that fails while others wait, once the system answers', async () => {
    const stub = new LookupStub({ turns: true, probes: true })
    const run = runLookup(stub, { timeoutMs: 1_000, reads: 2 })
    run.push(1, 2)
    await run.clock.settle()
    stub.for(1).turn?.begins()
    await run.clock.advance(1_000)
    expect(run.step.unreachable).toBe('stub')
    // Asked for before the failure, and sent after it.
    stub.for(2).turn?.begins()
    stub.for(2).hit()
    await run.clock.settle()
    expect([run.values(), run.codes(), run.step.unreachable]).toEqual([[2], [], null])
    expect(run.statistics.probes).toBe(1)
    // It has all of its time again, and a probe is sent with it.
    stub.for(1).turn?.begins()
    await run.clock.settle()
    expect(run.statistics.probes).toBe(2)
    stub.probes[1]?.answer()
    await run.clock.advance(1_000)
    stub.probes[2]?.answer()
    await run.clock.settle()
    expect(run.codes()).toEqual(['lookup-timeout'])
  })
})

describe('asyncLookup with a client of any kind', () => {
  it('does not count the wait of a try for a read', async () => {
    const stub = new LookupStub({ probes: true })
    const retry = { attempts: 2, initialDelayMs: 10, maxDelayMs: 10 }
    const run = runLookup(stub, { timeoutMs: 1_000, reads: 1, retry }, { random: { next: () => 1, hex: () => '' } })
    run.push(1, 2)
    await run.clock.advance(700)
    stub.for(1).fail(overloaded())
    await run.clock.settle()
    expect(stub.for(2).values).toEqual([2])
    // 290 ms are left to the first when it is asked for again.
    await passAnswered(run, stub, 900)
    stub.for(2).hit()
    await run.clock.advance(200)
    stub.for(1).hit()
    await run.clock.settle()
    expect(run.values()).toEqual([2, 1])
    expect(run.statistics.timeouts).toBe(0)
  })

  it.each([
    [4_999, 0],
    [5_000, 1],
  ])(
    'warns %i ms of request timeout beside a timeout of 5,000 ms %i times a task',
    async (requestTimeoutMs, warnings) => {
      const log = new TestLogger()
      const kept = new Map<string, unknown>()
      const stub = Object.assign(new LookupStub(), { requestTimeoutMs })
      for (let epoch = 1; epoch < 3; epoch += 1) runLookup(stub, {}, { kept, epoch, log })
      await Promise.resolve()
      expect(log.lines.map(({ level }) => level)).toEqual(Array.from({ length: warnings }, () => 'warn'))
    },
  )
})
