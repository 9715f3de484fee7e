/*
 * What each operator costs per record, in µs, without a runtime around it. Parsing, hashing and encoding are part of the
 * operators that do them; the lookups answer at once, so what is measured is the framework's share.
 *
 *   node bench/micro/operators.ts [records]
 */
import * as t from 'io-ts'
import { map, Observable, type OperatorFunction } from 'rxjs'
import { asyncLookup, type LookedUp } from '../../operators/asyncLookup.ts'
import { decodeJson } from '../../operators/decodeJson.ts'
import { mapWithState } from '../../operators/mapWithState.ts'
import { sha256Hash } from '../../operators/sha256Hash.ts'
import { sideOutput } from '../../operators/sideOutput.ts'
import { toKafkaTransactional } from '../../operators/toKafka.ts'
import type { Limits, OperatorContext } from '../../src/core/context.ts'
import type { LookupClient, LookupOutcome } from '../../src/core/ports/lookup.ts'
import { operate } from '../../src/core/operate.ts'
import type { StreamRecord } from '../../src/core/record.ts'
import { attemptStub } from '../../test/support/attemptStub.ts'
import { sampleRecord } from '../../test/support/sampleRecord.ts'

/** One measured operator. */
export interface OperatorCost {
  readonly operator: string
  readonly records: number
  readonly microsPerRecord: number
}

const limits: Partial<Limits> = { epochBytes: Infinity }

/** The cost of passing `records` through an operator, the best of `rounds`, less what passing them through none costs. */
export async function measureOperators(records = 1_000_000, rounds = 3): Promise<OperatorCost[]> {
  const text = JSON.stringify({
    keyspace: 'shop',
    tableName: 'orders',
    primaryKey: { id: 12, region: 'eu' },
    payload: { n: 1 },
  })
  const raw = Array.from({ length: records }, (_, offset) =>
    sampleRecord(text, { offset, key: `k${String(offset % 1_000)}` }),
  )
  const row = { encoded: '{"amount":"12.50","id":12,"region":"eu"}' }
  const looked = raw.map((record) => record.withValue<LookedUp<string, typeof row>>({ message: 'm', row }))
  const costs: OperatorCost[] = []

  const measure = async <In, Out>(
    operator: string,
    input: readonly In[],
    build: (context: OperatorContext) => OperatorFunction<In, Out>,
  ): Promise<void> => {
    let bestMs = Infinity
    for (let round = 0; round < rounds; round += 1) {
      const attempt = attemptStub({ limits })
      const source$ = gated(attempt.context, input)
      const startMs = performance.now()
      await source$.pipe(build(attempt.context)).forEach(() => undefined)
      bestMs = Math.min(bestMs, performance.now() - startMs)
    }
    costs.push({ operator, records: input.length, microsPerRecord: (bestMs * 1_000) / input.length })
  }

  await measure('(source alone)', raw, () => map((record) => record))
  await measure('operate, doing nothing', raw, (context) => {
    const step = context.step({ kind: 'nothing' })
    return (source$) =>
      operate(step, source$, (destination) => ({
        next: (record: StreamRecord) => {
          destination.next(record)
        },
      }))
  })
  const request = t.type({ keyspace: t.string, tableName: t.string, primaryKey: t.UnknownRecord, payload: t.unknown })
  await measure('decodeJson', raw, (context) => decodeJson(context, request))
  await measure('sha256Hash', looked, () => sha256Hash({ messageAs: 'hash', rowAs: 'cass_hash' }))
  await measure('toKafkaTransactional', raw, (context) => toKafkaTransactional(context, { topic: 'output' }))
  await measure('mapWithState', raw, (context) =>
    mapWithState(context, { uid: 'count', initial: () => 0, update: (n: number) => ({ state: n + 1, output: n + 1 }) }),
  )
  await measure('sideOutput by position', raw, (context) => {
    const output = sideOutput<StreamRecord>(context, 'side', { order: 'position' })
    return (source$) =>
      new Observable<StreamRecord>((destination) => {
        destination.add(output.records$.subscribe(destination))
        source$.subscribe({
          next: (record) => {
            output.emit(record)
          },
          complete: () => {
            destination.complete()
          },
        })
      })
  })
  const hit: LookupOutcome<typeof row> = { kind: 'hit', result: row }
  const one: LookupClient<unknown, typeof row> = { name: 'immediate', lookup: () => Promise.resolve(hit) }
  const many = { ...one, lookupMany: (values: readonly unknown[]) => Promise.resolve(values.map(() => hit)) }
  for (const wait of ['ordered', 'unordered'] as const) {
    await measure(`asyncLookup, one by one, ${wait}`, raw, (context) => asyncLookup(context, { lookup: one, wait }))
    await measure(`asyncLookup, in groups, ${wait}`, raw, (context) => asyncLookup(context, { lookup: many, wait }))
  }
  await measure('asyncLookup, a function, ordered', raw, (context) =>
    asyncLookup(context, { lookup: () => Promise.resolve(row), wait: 'ordered' }),
  )
  return costs
}

/** A source that obeys the gate and yields to the promise reactions, as the task's own does. */
function gated<T>(context: OperatorContext, input: readonly T[]): Observable<T> {
  return new Observable((destination) => {
    let at = 0
    const pump = (): void => {
      for (; at < input.length && !context.gate.closed; at += 1) destination.next(input[at] as T)
      if (at < input.length) setImmediate(pump)
      else destination.complete()
    }
    queueMicrotask(pump)
  })
}

if (import.meta.main) {
  const records = Number(process.argv[2] ?? 1_000_000)
  for (const { operator, microsPerRecord } of await measureOperators(records)) {
    console.log(`${operator.padEnd(40)} ${microsPerRecord.toFixed(3).padStart(8)} µs a record`)
  }
}
