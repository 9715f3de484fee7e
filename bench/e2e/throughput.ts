import type { KafkaTopics } from '../../src/connectors/kafka/topics/kafkaTopics.ts'
import type { JobResult } from '../../src/runtime/metrics/jobMetrics.ts'
import type { Flags } from './benchSettings.ts'
import { processFigures } from './processFigures.ts'
import { startReconcile, type StartOptions } from './startReconcile.ts'

/** The servers and what both kinds of measurement share. */
export interface BenchWorld {
  readonly flags: Flags
  readonly topics: KafkaTopics
  readonly partitions: number
  readonly kafkaPid: number
  readonly cassandraPid: number
}

export interface ThroughputRun extends StartOptions {
  /** Of the run's group and topics. */
  readonly name: string
  readonly flags: Flags
  /** What must come out of it. */
  readonly expected: { readonly records: number; readonly misses: number }
}

/** One run over a loaded topic. */
export interface Throughput {
  readonly result: JobResult
  readonly startMs: number
  /** From the first recovered task to the end; the start is not part of it. */
  readonly recordsPerSecond: number
  readonly cpuMicros: { readonly node: number; readonly kafka: number; readonly cassandra: number }
  readonly memoryMiB: {
    readonly heap: number
    readonly node: number
    readonly kafka: number
    readonly cassandra: number
  }
  /** Keys in one request to Cassandra, on average. */
  readonly requestKeys: number
}

/** Reconciles everything in `bench-input` with a new group into new topics, and checks that all of it came out once. */
export async function measureThroughput(world: BenchWorld, run: ThroughputRun): Promise<Throughput> {
  const { topics, partitions, kafkaPid, cassandraPid } = world
  const output = `bench-output-${run.name}`
  const deadLetters = `bench-dead-letters-${run.name}`
  await topics.createTopic(output, { partitions })
  await topics.createTopic(deadLetters, { partitions })
  const process = await startReconcile(
    {
      ...world.flags,
      'reconcile.input.topic': 'bench-input',
      'reconcile.output.topic': output,
      'reconcile.dlq.topic': deadLetters,
      'reconcile.group': `bench-${run.name}`,
      ...run.flags,
    },
    'bounded',
    run,
  )
  const before = [kafkaPid, cassandraPid].map((pid) => processFigures(pid))
  process.go()
  const { result, startMs, cpuMicros, heapMiB, residentMiB, requests, keys } = await process.ended
  const [kafka, cassandra] = [kafkaPid, cassandraPid].map((pid, at) => {
    const after = processFigures(pid)
    return { ...after, cpuMicros: after.cpuMicros - (before[at]?.cpuMicros ?? 0) }
  })
  await check(topics, { output, deadLetters }, result, run)
  const { records } = result
  return {
    result,
    startMs,
    recordsPerSecond: (records * 1000) / (result.durationMs - startMs),
    cpuMicros: {
      node: cpuMicros / records,
      kafka: (kafka?.cpuMicros ?? 0) / records,
      cassandra: (cassandra?.cpuMicros ?? 0) / records,
    },
    memoryMiB: {
      heap: heapMiB,
      node: residentMiB,
      kafka: kafka?.residentMiB ?? 0,
      cassandra: cassandra?.residentMiB ?? 0,
    },
    requestKeys: keys / Math.max(1, requests),
  }
}

/** A figure of a run that lost, doubled or refused something would be worth nothing. */
async function check(
  topics: KafkaTopics,
  { output, deadLetters }: { readonly output: string; readonly deadLetters: string },
  result: JobResult,
  { expected }: ThroughputRun,
): Promise<void> {
  const inserts = result.tallies.find(({ labels }) => labels.at(-1) === 'INSERT')?.count ?? 0
  let committed = 0
  const { partitions } = await topics.describeTopic(output)
  for (let partition = 0; partition < partitions; partition += 1) {
    let from = 0
    for (let end = 1; from < end;) {
      const page = await topics.readPage({ topic: output, partition, from, limit: 20_000 })
      committed += page.records.length
      from = page.next
      end = page.end
    }
  }
  const found = `${String(result.records)} records, ${String(committed)} committed outputs, ${String(inserts)} without a row`
  const { records, misses } = expected
  const refused = result.records - committed
  if (result.records !== records || committed !== records || inserts !== misses) {
    const reason = refused === 0 ? '' : `; the first dead letter: ${await firstDeadLetter(topics, deadLetters)}`
    throw new Error(
      `The run is wrong: ${found}; expected ${String(records)} of each, ${String(misses)} without a row${reason}`,
    )
  }
}

async function firstDeadLetter(topics: KafkaTopics, topic: string): Promise<string> {
  const { partitions } = await topics.describeTopic(topic)
  for (let partition = 0; partition < partitions; partition += 1) {
    const { records } = await topics.readPage({ topic, partition, from: 0, limit: 1 })
    const [first] = records
    if (first !== undefined) return first.headers.map(([name, value]) => `${name}=${String(value)}`).join(' ')
  }
  return 'none'
}
