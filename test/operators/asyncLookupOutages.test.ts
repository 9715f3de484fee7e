import { describe, expect, it } from 'vitest'
import { Outage } from '../../src/core/outage.ts'
import { ManualClock } from '../../src/testing/world/manualClock.ts'
import { TestProcess } from '../../src/testing/world/testProcess.ts'
import { LookupStub, overloaded, unknownTable } from '../support/lookupStub.ts'
import { runLookup } from '../support/lookupRun.ts'

describe('asyncLookup, when the system may be out', () => {
  it('holds a timed-out record with its slot until a probe sent after that is answered, and then asks once more', async () => {
    const stub = new LookupStub({ probes: true })
    const run = runLookup(stub, { timeoutMs: 5_000, capacity: 1 })
    run.push(1)
    await run.clock.advance(5_000)
    expect(run.codes()).toEqual([])
    expect(run.step.pending).toBe(1)
    expect(run.attempt.gate.closed).toBe(true)
    expect(stub.probes).toHaveLength(1)
    expect(run.step.unreachable).toBe('stub')
    stub.probes[0]?.answer()
    await run.clock.settle()
    expect(run.step.unreachable).toBeNull()
    expect([run.codes(), stub.requests.length, stub.probes.length]).toEqual([[], 2, 2])
    // The system answers a probe that was sent beside the request, and not the request.
    stub.probes[1]?.answer()
    await run.clock.advance(5_000)
    expect(run.codes()).toEqual([])
    stub.probes[2]?.answer()
    await run.clock.settle()
    expect(run.codes()).toEqual(['lookup-timeout'])
    expect(run.attempt.gate.closed).toBe(false)
    run.source$.complete()
    expect(run.clock.pending).toBe(0)
  })

  it('makes no dead letter of records that failed while the system was out for less than the timeout', async () => {
    const stub = new LookupStub({ probes: true })
    const run = runLookup(stub, { timeoutMs: 5_000, retry: { attempts: 2, initialDelayMs: 10, maxDelayMs: 10 } })
    run.push(1, 2)
    for (let tries = 0; tries < 2; tries += 1) {
      await run.clock.advance(10)
      for (const request of stub.open) request.fail(overloaded())
    }
    await run.clock.settle()
    stub.probes[0]?.fail()
    await run.clock.advance(1_000)
    stub.probes[1]?.answer()
    await run.clock.settle()
    expect(run.codes()).toEqual([])
    for (const request of stub.open) request.hit()
    await run.clock.settle()
    expect([run.values().toSorted((a, b) => a - b), run.codes()]).toEqual([[1, 2], []])
  })

  it('asks again as often as the system is out beside the one request more', async () => {
    const stub = new LookupStub({ probes: true })
    const run = runLookup(stub, { timeoutMs: 5_000, retry: { attempts: 1 } })
    run.push(1)
    await run.clock.settle()
    for (let outages = 0; outages < 3; outages += 1) {
      stub.for(1).fail(overloaded())
      await run.clock.settle()
      // The one beside the request fails as the request did; the one that follows is answered.
      for (const probe of stub.probes.slice(0, -1)) probe.fail()
      stub.probes.at(-1)?.answer()
      await run.clock.settle()
      expect([stub.requests.length, run.codes()]).toEqual([outages + 2, []])
    }
    stub.for(1).hit()
    await run.clock.settle()
    expect([run.values(), run.codes()]).toEqual([[1], []])
  })

  it('does not count the time in which the process stood still', async () => {
    const clock = new ManualClock()
    const process = new TestProcess({ clock })
    const stub = new LookupStub({ probes: true })
    const run = runLookup(stub, { timeoutMs: 5_000 }, { clock: process.clock })
    run.push(1)
    await clock.settle()
    await clock.advance(10)
    process.freeze(60_000)
    // What was due meanwhile comes first when it thaws, and only then the answers.
    await clock.advance(60_100)
    expect([stub.probes.length, run.codes()]).toEqual([0, []])
    stub.for(1).hit()
    await clock.settle()
    expect(run.values()).toEqual([1])
  })

  it('lets it go by a lookup that was sent after the failure, and by no earlier one', async () => {
    const stub = new LookupStub({ probes: true })
    const run = runLookup(stub, { timeoutMs: 5_000 })
    run.push(1)
    await run.clock.advance(1_000)
    run.push(2)
    await run.clock.advance(4_000)
    stub.for(2).hit()
    await run.clock.settle()
    expect([run.values(), run.codes()]).toEqual([[2], []])
    expect(stub.requests).toHaveLength(2)
    run.push(3)
    await run.clock.settle()
    stub.for(3).miss()
    await run.clock.settle()
    expect(stub.requests.map(({ values }) => values)).toEqual([[1], [2], [3], [1]])
  })

  it('takes neither an error nor a late answer from before for a sign of life', async () => {
    const stub = new LookupStub({ probes: true })
    const run = runLookup(stub, { timeoutMs: 5_000 })
    run.push(1)
    await run.clock.advance(5_000)
    stub.for(1).hit()
    run.push(2)
    await run.clock.settle()
    stub.for(2).fail(unknownTable())
    await run.clock.settle()
    expect([run.codes(), stub.requests.length]).toEqual([['unknown-table'], 2])
  })

  it('holds records that ran out of tries, too', async () => {
    const stub = new LookupStub({ probes: true })
    const run = runLookup(stub, { retry: { attempts: 1 } })
    run.push(1)
    await run.clock.settle()
    stub.for(1).fail(overloaded())
    await run.clock.settle()
    expect([run.codes(), stub.probes.length]).toEqual([[], 1])
    stub.probes[0]?.answer()
    await run.clock.settle()
    expect([run.codes(), stub.requests.length]).toEqual([[], 2])
    stub.probes[1]?.answer()
    stub.for(1).fail(overloaded())
    await run.clock.settle()
    stub.probes[2]?.answer()
    await run.clock.settle()
    expect(run.codes()).toEqual(['lookup-failed'])
  })

  it('probes again after a probe has failed or said nothing, and after one sent too early', async () => {
    const stub = new LookupStub({ probes: true })
    const run = runLookup(stub, { timeoutMs: 5_000 })
    run.push(1)
    await run.clock.advance(500)
    run.push(2)
    await run.clock.advance(4_500)
    stub.probes[0]?.fail()
    await run.clock.advance(1_000)
    expect(stub.probes).toHaveLength(2)
    stub.probes[1]?.answer()
    await run.clock.settle()
    expect(stub.requests.map(({ values }) => values)).toEqual([[1], [2], [1], [2]])
    for (const request of stub.open) request.hit()
    await run.clock.settle()
    // Two beside the requests.
    expect([run.values(), stub.probes.length]).toEqual([[1, 2], 4])

    run.push(3)
    await run.clock.advance(100)
    run.push(4)
    await run.clock.advance(4_900)
    expect(stub.probes).toHaveLength(5)
    await run.clock.advance(100)
    // Sent before 4 failed: it speaks for 3 only, and the next one leaves at once; so does the one beside the request for 3.
    stub.probes[4]?.answer()
    await run.clock.settle()
    expect(stub.requests.slice(4).map(({ values }) => values)).toEqual([[3], [4], [3]])
    expect(stub.probes).toHaveLength(7)
  })

  it('fails with an outage when nothing is answered for the timeout, and makes no dead letter', async () => {
    const stub = new LookupStub({ probes: true })
    const run = runLookup(stub, { timeoutMs: 5_000, capacity: 50, reads: 10 })
    for (let value = 0; value < 50; value += 1) run.push(value)
    await run.clock.advance(9_999)
    expect(run.end.error).toBeUndefined()
    await run.clock.advance(1)
    const { error } = run.end
    if (!(error instanceof Outage)) throw new Error('an outage was expected')
    expect(error).toMatchObject({
      code: 'lookup-outage',
      kind: 'unreachable',
      retriable: true,
      details: { system: 'stub' },
    })
    expect(run.codes()).toEqual([])
    expect(run.step.pending).toBe(50)
    expect(run.clock.pending).toBe(0)

    const probesBefore = stub.probes.length
    const answered = error.probe()
    expect(stub.probes).toHaveLength(probesBefore + 1)
    stub.probes.at(-1)?.answer()
    await expect(answered).resolves.toBeUndefined()
  })

  it('holds nothing where the client cannot be probed', async () => {
    const stub = new LookupStub()
    const run = runLookup(stub, { retry: { attempts: 1 } })
    run.push(1)
    await run.clock.settle()
    stub.for(1).fail(overloaded())
    await run.clock.settle()
    expect(run.codes()).toEqual(['lookup-failed'])
  })

  describe('and says so itself', () => {
    it('asks again for what it could not answer, however often, and uses up no try', async () => {
      const stub = new LookupStub({ probes: true })
      const run = runLookup(stub, { timeoutMs: 5_000, retry: { attempts: 2, initialDelayMs: 10, maxDelayMs: 100 } })
      run.push(1)
      await run.clock.settle()
      for (let refusal = 0; refusal < 20; refusal += 1) {
        stub.for(1).refuse()
        await run.clock.settle()
        expect(run.step.unreachable).toBe('stub')
        await run.clock.advance(100)
      }
      stub.for(1).fail(overloaded())
      await run.clock.advance(100)
      expect(run.step.unreachable).toBeNull()
      stub.for(1).hit()
      await run.clock.settle()
      expect([run.values(), run.codes(), stub.probes.length]).toEqual([[1], [], 0])
    })

    it('is an outage when that does not end, whatever else is answered meanwhile, and nothing is a dead letter', async () => {
      const stub = new LookupStub({ probes: true })
      const run = runLookup(stub, { timeoutMs: 5_000 })
      run.push(1)
      await run.clock.settle()
      for (let second = 0; second < 5; second += 1) {
        stub.for(1).refuse()
        run.push(2)
        await run.clock.settle()
        stub.for(2).hit()
        await run.clock.advance(1_000)
      }
      expect(run.codes()).toEqual([])
      expect(run.end.error).toBeInstanceOf(Outage)
      expect(run.end.error).toMatchObject({
        code: 'lookup-outage',
        message: expect.stringContaining(
          'stub could not answer a lookup for 5000 ms (the stub is overloaded)',
        ) as string,
      })
    })

    it('makes a record of a client without a probe fail after its tries, for there is no telling', async () => {
      const stub = new LookupStub()
      const run = runLookup(stub, { retry: { attempts: 1 } })
      run.push(1)
      await run.clock.settle()
      stub.for(1).refuse()
      await run.clock.settle()
      expect(run.codes()).toEqual(['lookup-failed'])
    })
  })
})
