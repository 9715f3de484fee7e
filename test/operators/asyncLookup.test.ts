import { describe, expect, it } from 'vitest'
import { from, lastValueFrom, mergeMap, of, take, toArray } from 'rxjs'
import { asyncLookup } from '../../operators/asyncLookup.ts'
import type { LookupClient } from '../../src/core/ports/lookup.ts'
import { attemptStub } from '../support/attemptStub.ts'
import { LookupStub, rowOf, unknownTable } from '../support/lookupStub.ts'
import { runLookup } from '../support/lookupRun.ts'
import { numberedRecords } from '../support/sampleRecord.ts'

describe('asyncLookup', () => {
  it('passes hits on with their row and misses with null, under the record they came with', async () => {
    const stub = new LookupStub()
    const run = runLookup(stub)
    run.push(1, 2)
    await run.clock.settle()
    stub.for(1).hit()
    stub.for(2).miss()
    await run.clock.settle()
    expect(run.outputs.map(({ offset, value }) => [offset, value])).toEqual([
      [1, { message: 1, row: 'row 1' }],
      [2, { message: 2, row: null }],
    ])
    expect(run.step.pending).toBe(0)
  })

  it('sends a request in the next microtask, before any timer or turn of the event loop', async () => {
    const stub = new LookupStub()
    const run = runLookup(stub)
    run.push(1)
    expect(stub.requests).toHaveLength(0)
    await Promise.resolve()
    expect(stub.requests).toHaveLength(1)
  })

  it('keeps the order of inputs when ordered, whatever the order of answers', async () => {
    const stub = new LookupStub()
    const run = runLookup(stub, { wait: 'ordered' })
    run.push(1, 2, 3)
    await run.clock.settle()
    stub.for(3).hit()
    stub.for(2).fail(unknownTable())
    await run.clock.settle()
    expect([run.values(), run.refused()]).toEqual([[], []])
    stub.for(1).hit()
    await run.clock.settle()
    expect([run.values(), run.refused()]).toEqual([[1, 3], [2]])
  })

  it('lets no slow record hold up another when unordered', async () => {
    const stub = new LookupStub()
    const run = runLookup(stub)
    run.push(1, 2, 3)
    await run.clock.settle()
    stub.for(3).hit()
    stub.for(2).hit()
    await run.clock.settle()
    expect(run.values()).toEqual([3, 2])
  })

  it('never has more than `reads` requests in flight, and closes the gate at `capacity`', async () => {
    const stub = new LookupStub()
    const run = runLookup(stub, { capacity: 8, reads: 3 })
    for (let value = 0; value < 8; value += 1) {
      expect(run.attempt.gate.closed).toBe(false)
      run.push(value)
    }
    expect(run.attempt.gate.closed).toBe(true)
    await run.clock.settle()
    expect(stub.open).toHaveLength(3)
    while (stub.open.length > 0) {
      stub.open[0]?.hit()
      await run.clock.settle()
      expect(run.attempt.gate.closed).toBe(run.step.pending >= 6)
    }
    expect(stub.mostOpen).toBe(3)
    expect(run.values()).toEqual([0, 1, 2, 3, 4, 5, 6, 7])
    expect(run.statistics.gateClosed).toBe(1)
    expect(run.attempt.gateOpenings.count).toBe(1)
  })

  it('gives the same outputs with a capacity of 1 and of 100', async () => {
    const results = await Promise.all(
      [1, 100].map(async (capacity) => {
        const { context } = attemptStub()
        const lookup = async (value: number): Promise<string | null> => {
          await Promise.resolve()
          return value % 3 === 0 ? null : `row ${String(value)}`
        }
        const looked$ = from(numberedRecords(500)).pipe(asyncLookup(context, { lookup, wait: 'unordered', capacity }))
        const records = await lastValueFrom(looked$.pipe(toArray()))
        return records.map(({ value }) => JSON.stringify(value)).sort()
      }),
    )
    expect(results[0]).toHaveLength(500)
    expect(results[0]).toEqual(results[1])
  })

  it('completes only when everything inside has left', async () => {
    const stub = new LookupStub()
    const run = runLookup(stub, { reads: 1 })
    run.push(1, 2)
    run.source$.complete()
    await run.clock.settle()
    stub.for(1).hit()
    await run.clock.settle()
    expect(run.end.completed).toBe(false)
    stub.for(2).hit()
    await run.clock.settle()
    expect(run.end.completed).toBe(true)
    expect(run.clock.pending).toBe(0)
  })

  it('reports what it still holds when it is torn down, opens its gate, and leaves no timer', async () => {
    const stub = new LookupStub()
    const run = runLookup(stub, { capacity: 2 })
    run.push(1, 2)
    await run.clock.settle()
    run.subscription.unsubscribe()
    expect(run.step.pending).toBe(2)
    expect(run.step.endings).toBe(1)
    expect(run.attempt.gate.closed).toBe(false)
    expect(run.clock.pending).toBe(0)
    expect(run.statistics).toMatchObject({ inFlight: 0, abandoned: 2 })
    stub.for(1).hit()
    await run.clock.settle()
    expect(run.values()).toEqual([])
    expect(run.statistics).toMatchObject({ inFlight: 0, abandoned: 1 })
  })

  it('counts the record that ends the pipeline as passed on, and the rest as lost', async () => {
    const attempt = attemptStub()
    const lookup: LookupClient<number, string> = { name: 'stub', lookup: (value) => Promise.resolve(rowOf(value)) }
    const looked$ = from(numberedRecords(3)).pipe(asyncLookup(attempt.context, { lookup, wait: 'ordered' }), take(1))
    await lastValueFrom(looked$)
    expect(attempt.steps[0]?.pending).toBe(2)
  })

  it('survives 240,000 immediate answers without growing the stack', async () => {
    const attempt = attemptStub({ limits: { epochBytes: 1e9 } })
    const lookup: LookupClient<number, number> = {
      name: 'stub',
      lookup: (value) => Promise.resolve({ kind: 'hit', result: value }),
    }
    let count = 0
    const looked$ = from(numberedRecords(240_000)).pipe(asyncLookup(attempt.context, { lookup, wait: 'ordered' }))
    await looked$.forEach(({ value }) => {
      expect(value.row === count).toBe(true)
      count += 1
    })
    expect(count).toBe(240_000)
  })

  it('fails the epoch with lookup-overflow when more waits than the byte limit holds', async () => {
    const stub = new LookupStub()
    const run = runLookup(stub, { capacity: 2 }, { limits: { epochBytes: 500 } })
    run.push(1, 2, 3, 4, 5, 6, 7, 8)
    expect(run.end.error).toBeUndefined()
    run.push(9, 10, 11)
    expect(run.end.error).toMatchObject({ code: 'lookup-overflow' })
    expect(run.step.errors).toEqual([run.end.error])
    expect(run.codes()).toEqual([])
    await run.clock.settle()
  })

  it('lets in what upstream makes of one record, in order and within the reads', async () => {
    const attempt = attemptStub()
    let open = 0
    let most = 0
    const lookup = async (value: number): Promise<number> => {
      open += 1
      most = Math.max(most, open)
      await new Promise((resolve) => setTimeout(resolve, 0))
      open -= 1
      return value
    }
    const expanded$ = of(...numberedRecords(1)).pipe(mergeMap(() => numberedRecords(300)))
    const looked$ = expanded$.pipe(asyncLookup(attempt.context, { lookup, wait: 'ordered', capacity: 10, reads: 7 }))
    const rows = (await lastValueFrom(looked$.pipe(toArray()))).map(({ value }) => value.row)
    expect(rows).toEqual(Array.from({ length: 300 }, (_, index) => index))
    expect(most).toBe(7)
  })

  it('keeps statistics over epochs', async () => {
    const kept = new Map<string, unknown>()
    for (let epoch = 1; epoch <= 2; epoch += 1) {
      const stub = new LookupStub()
      const run = runLookup(stub, {}, { kept })
      run.push(1, 2, 3)
      await run.clock.advance(7)
      stub.for(1).hit()
      stub.for(2).miss()
      stub.for(3).fail(unknownTable())
      await run.clock.settle()
      expect(run.statistics).toMatchObject({
        hits: epoch,
        misses: epoch,
        requests: 3 * epoch,
        latency: { sumMs: 21 * epoch },
      })
      expect([...run.statistics.errors]).toEqual([['unknown-table', epoch]])
      expect(run.statistics.latency.counts[3]).toBe(3 * epoch)
    }
  })

  it.each([
    [{ wait: 'sometimes' }, 'wait', "'sometimes'"],
    [{ capacity: 0 }, 'capacity', '0'],
    [{ reads: 1.5 }, 'reads', '1.5'],
    [{ timeoutMs: Number.NaN }, 'timeoutMs', 'NaN'],
    [{ batch: 0 }, 'batch', '0'],
    [{ batch: 'on' }, 'batch', "'on'"],
    [{ retry: { attempts: 0 } }, 'retry.attempts', '0'],
    [{ retry: { initialDelayMs: 500, maxDelayMs: 100 } }, 'retry.maxDelayMs', '100'],
    [{ rateLimit: -1 }, 'rateLimit', '-1'],
  ])('refuses %j when the pipeline is built', (options, option, value) => {
    const { context } = attemptStub()
    const build = (): unknown =>
      asyncLookup<number, string>(context, {
        lookup: new LookupStub(),
        ...({ wait: 'ordered', ...options } as { wait: 'ordered' }),
      })
    expect(build).toThrow(`asyncLookup: option ${option} must be `)
    expect(build).toThrow(`not ${value}; for example `)
  })
})
