import { map } from 'rxjs'
import { mapWithState } from '../../operators/mapWithState.ts'
import { fromKafka } from '../../operators/fromKafka.ts'
import { toKafkaTransactional } from '../../operators/toKafka.ts'
import reconcile from '../../jobs/reconcile.ts'
import { reconcileSample } from '../../jobs/reconcile/sample.ts'
import uppercase from '../../jobs/uppercase.ts'
import type { TidemarkError } from '../../src/core/errors.ts'
import { outputRefusal } from '../../src/core/outputRefusal.ts'
import type { OutputRecord } from '../../src/core/record.ts'
import { defineJob } from '../../src/runtime/plan/defineJob.ts'
import {
  MemoryTables,
  type MemoryTablesOptions,
  record,
  simulate,
  type SimulateOptions,
  type SimulationReport,
  testTopic,
  type TestItem,
} from '../../src/testing/index.ts'
import { memoryTargetPort, recordAsRow } from '../../src/testing/world/memoryFollower.ts'
import { toTarget } from '../support/toTarget.ts'

/** Counts and remembers by key: an output tells every record of its key before it, so a wrong state shows at once. */
export const counting = defineJob({
  name: 'counting',
  pipeline: (context) =>
    fromKafka(context, { topic: 'input', groupId: 'counting' }).pipe(
      mapWithState(context, {
        uid: 'count',
        initial: () => ({ count: 0, sum: 0 }),
        update: ({ count, sum }: { count: number; sum: number }, { value }) => {
          const number = Number(value?.toString())
          // Every fifth record forgets its key, so that deletions are replayed as well.
          const state = (count + 1) % 5 === 0 ? undefined : { count: count + 1, sum: sum + number }
          return { state, output: `${String(count + 1)}:${String(sum + number)}` }
        },
      }),
      map((total) => total.withValue(`total ${total.value}`)),
      toKafkaTransactional(context, { topic: 'output' }),
    ),
})

/** Gathers the records of all topics of a family, which come, grow and go. */
export const gathering = defineJob({
  name: 'gathering',
  pipeline: (context) =>
    fromKafka(context, { topic: /^parcels-/, groupId: 'gathering' }).pipe(
      map((parcel) => parcel.withValue(`parcel ${parcel.value?.toString() ?? ''}`)),
      toKafkaTransactional(context, { topic: 'output' }),
    ),
})

/** Copies its input, and sends it to a system that cannot join the commit. */
export const following = defineJob({
  name: 'following',
  pipeline: (context) =>
    fromKafka(context, { topic: 'input', groupId: 'following' }).pipe(
      toTarget(context, { uid: 'rows', follower: (open) => open(memoryTargetPort), row: recordAsRow }),
      toKafkaTransactional(context, { topic: 'output' }),
    ),
})

const numbers = (count: number): ReturnType<typeof record>[] =>
  Array.from({ length: count }, (_, index) => record(String(index), { key: `key ${String(index % 7)}` }))

const parcels = [
  testTopic('parcels-north', numbers(18), { partitions: 3 }),
  testTopic('parcels-east', numbers(12), { partitions: 2 }),
  testTopic('parcels-west', numbers(8), { partitions: 2 }),
  testTopic('parcels-south', numbers(4), { partitions: 1 }),
]

export type Simulation = (
  options: Pick<SimulateOptions, 'seed' | 'seeds' | 'processes' | 'faults' | 'history' | 'repeat' | 'shrink'>,
) => Promise<SimulationReport>

/** The input and the tables of the reconcile job: the first messages of its own sample, every fourteenth a bad one. */
export function reconcileWorld(
  messages: number,
  tableOptions: MemoryTablesOptions = { grouped: true },
): { readonly items: readonly TestItem[]; readonly rows: MemoryTables } {
  const { topics, tables } = reconcileSample({ records: null }, 'input-topic')
  const items: TestItem[] = []
  for (const { key, value, timestamp } of topics['input-topic'] ?? []) {
    if (items.length >= messages) break
    items.push(record(value, { key, timestamp }))
  }
  return { items, rows: new MemoryTables(tables, tableOptions) }
}

const { items, rows } = reconcileWorld(40)

/** One read at a time, so that reads wait for each other for longer than one of them may take. */
const { rows: boundedRows } = reconcileWorld(40, { latencyMs: 40, bound: { maxInFlight: 1, requestTimeoutMs: 500 } })

/** A topic whose broker refuses one record in four for what it is: for its time, whatever its row says. */
function refusesSome({ timestamp }: OutputRecord): TidemarkError | null {
  return timestamp % 4 === 0 ? outputRefusal.noKey('reconcile') : null
}

/** Slow enough that there are epochs of all lengths. */
const world = { perSecond: 200, epochLengths: [5, 40, 1_000] } as const

/** Every job that the framework holds itself to, by name. */
export const simulations: Readonly<Record<string, Simulation>> = {
  uppercase: (options) =>
    simulate(uppercase, { ...world, ...options, topics: { 'input.topic': numbers(40) }, order: 'partition' }),
  counting: (options) =>
    simulate(counting, { ...world, ...options, topics: { input: numbers(40) }, order: 'partition' }),
  following: (options) =>
    simulate(following, { ...world, ...options, topics: { input: numbers(40) }, order: 'partition' }),
  'following, without a record': (options) =>
    simulate(following, {
      ...world,
      ...options,
      topics: { input: numbers(40) },
      order: 'partition',
      target: { keeps: 'timestamps' },
    }),
  gathering: (options) => simulate(gathering, { ...world, ...options, topics: parcels, order: 'partition' }),
  reconcile: (options) => simulate(reconcile, { ...world, ...options, topics: { 'input-topic': items }, tables: rows }),
  'reconcile, ordered': (options) =>
    simulate(reconcile, {
      ...world,
      ...options,
      topics: { 'input-topic': items },
      tables: rows,
      settings: { 'reconcile.wait': 'ordered', 'reconcile.capacity': '8' },
    }),
  'reconcile, refused': (options) =>
    simulate(reconcile, {
      ...world,
      ...options,
      topics: { 'input-topic': items },
      tables: rows,
      outputs: { reconcile: { partitions: 3, refuses: refusesSome } },
    }),
  'reconcile, overloaded': (options) =>
    simulate(reconcile, {
      ...world,
      ...options,
      topics: { 'input-topic': items },
      tables: boundedRows,
      settings: { 'reconcile.lookup.timeout.ms': '900' },
    }),
}
