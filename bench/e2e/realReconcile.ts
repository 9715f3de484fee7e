/*
 * `npm run bench:e2e`: the reconcile job on a real Kafka and a real Cassandra, which run on the same machine and are started
 * for it. 20,000 rows, messages of 160 B over 4 partitions, 9 % of them without a row, exactly-once. Loading, and one run
 * before the others, are not counted. Linux only; needs Java 17, and Maven the first time.
 *
 *   node bench/e2e/realReconcile.ts [--records 200000] [--runs 3] [--only single|grouped|latency]
 *                                   [--set reconcile.capacity=2000]... [--profile DIR]
 */
import { cpus, loadavg } from 'node:os'
import { parseArgs } from 'node:util'
import type { Flags } from './benchSettings.ts'
import { withBenchWorld } from './benchWorld.ts'
import { load, missesIn } from './reconcileLoad.ts'
import { measureLatency } from './visibleLatency.ts'
import { measureThroughput, type BenchWorld, type Throughput } from './throughput.ts'

const { values } = parseArgs({
  options: {
    records: { type: 'string', default: '200000' },
    runs: { type: 'string', default: '3' },
    only: { type: 'string' },
    set: { type: 'string', multiple: true, default: [] },
    profile: { type: 'string' },
  },
})
const records = Number(values.records)
const runs = Number(values.runs)
const more: Flags = Object.fromEntries(
  values.set.map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]),
)

await withBenchWorld({ records, more }, async (world) => {
  printMachine()
  if (values.only === undefined || values.only === 'single') await compare(world, 'Single reads', 'off')
  if (values.only === undefined || values.only === 'grouped') await compare(world, 'Grouped reads', 'auto')
  if (values.only === undefined || values.only === 'latency') printLatency(await measureLatency(world))
})

/** One run to warm the servers up, then those that count. */
async function compare(world: BenchWorld, title: string, batch: 'off' | 'auto'): Promise<void> {
  const measured: Throughput[] = []
  console.log(`${title} (reconcile.lookup.batch=${batch}), ${String(records)} records:`)
  for (let run = 0; run <= runs; run += 1) {
    const throughput = await measureThroughput(world, {
      name: `${batch}-${String(run)}`,
      flags: { 'reconcile.lookup.batch': batch, ...more },
      expected: { records, misses: missesIn(records) },
      profileDirectory: run === runs ? values.profile : undefined,
    })
    if (run > 0) measured.push(throughput)
    console.log(`  ${run === 0 ? 'not counted' : `run ${String(run)}`.padEnd(11)} ${throughputLine(throughput)}`)
  }
  const median = measured.toSorted((a, b) => a.recordsPerSecond - b.recordsPerSecond)[measured.length >> 1]
  if (median !== undefined) printMedian(median)
}

function throughputLine({ recordsPerSecond, cpuMicros: { node, kafka: broker, cassandra: rows } }: Throughput): string {
  return `${recordsPerSecond.toFixed(0).padStart(6)} records/s; CPU µs a record: node ${node.toFixed(1)}, Kafka ${broker.toFixed(1)}, Cassandra ${rows.toFixed(1)}`
}

function printMedian(median: Throughput): void {
  const { result, startMs, memoryMiB, requestKeys } = median
  const { phases, epochs, gate } = result
  const mean = (ms: number): string => (ms / Math.max(1, epochs)).toFixed(1)
  console.log(`  median      ${throughputLine(median)}`)
  console.log(
    `  ${String(epochs)} epochs, in ms each: emit ${mean(phases.emitMs)}, drain ${mean(phases.drainMs)}, commit ${mean(phases.commitMs)}, apply ${mean(phases.applyMs)}; gate closed ${String(gate.closures)} times`,
  )
  console.log(
    `  start ${String(startMs)} ms before the first record, not counted; ${requestKeys.toFixed(1)} keys a request`,
  )
  console.log(
    `  memory, MiB: node heap ${memoryMiB.heap.toFixed(0)} and resident ${memoryMiB.node.toFixed(0)} at most, Kafka ${memoryMiB.kafka.toFixed(0)}, Cassandra ${memoryMiB.cassandra.toFixed(0)}\n`,
  )
}

function printLatency({
  perSecond,
  seconds,
  intervalMs,
  count,
  p50,
  p99,
  max,
  cpuCores,
}: Awaited<ReturnType<typeof measureLatency>>): void {
  console.log(`Latency at ${String(perSecond)} records/s for ${String(seconds)} s, epochs of ${String(intervalMs)} ms:`)
  console.log(
    `  due -> visible to a read_committed reader: p50 ${String(p50)} ms, p99 ${String(p99)} ms, longest ${String(max)} ms (${String(count)} records)`,
  )
  const { node, kafka: broker, cassandra: rows } = cpuCores
  console.log(`  cores in use: node ${node.toFixed(2)}, Kafka ${broker.toFixed(2)}, Cassandra ${rows.toFixed(2)}`)
}

function printMachine(): void {
  const [first] = cpus()
  console.log(
    `Node ${process.version}, ${String(cpus().length)} x ${first?.model ?? 'unknown processor'}, load ${loadavg()[0]?.toFixed(1) ?? '?'}; ${String(load.rows)} rows, messages of ${String(load.messageBytes)} B\n`,
  )
}
