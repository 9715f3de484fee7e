import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { sleep, systemClock } from '../../src/core/ports/clock.ts'
import { benchSettings } from './benchSettings.ts'
import { CommittedReader } from './committedReader.ts'
import { processFigures } from './processFigures.ts'
import { startReconcile } from './startReconcile.ts'
import type { BenchWorld } from './throughput.ts'

/** From the moment a record was due at the appending process until a read_committed reader had its output, in ms. */
export interface VisibleLatency {
  readonly perSecond: number
  readonly seconds: number
  readonly intervalMs: number
  readonly count: number
  readonly p50: number
  readonly p99: number
  readonly max: number
  /** CPU seconds a second. */
  readonly cpuCores: { readonly node: number; readonly kafka: number; readonly cassandra: number }
}

const perSecond = 2_000
const warmUpSeconds = 10
const seconds = 20
const intervalMs = 100
const lastOutputsMs = 10_000
const appendFile = fileURLToPath(new URL('appendProcess.ts', import.meta.url))

/** Runs the job beside a process that appends at a steady rate. What is due in the first seconds is not counted. */
export async function measureLatency(world: BenchWorld): Promise<VisibleLatency> {
  const { topics, partitions, kafkaPid, cassandraPid } = world
  const [input, output, deadLetters] = ['bench-live-input', 'bench-live-output', 'bench-live-dead-letters']
  for (const topic of [input, output, deadLetters]) await topics.createTopic(topic, { partitions })
  const job = await startReconcile(
    {
      ...world.flags,
      'reconcile.input.topic': input,
      'reconcile.output.topic': output,
      'reconcile.dlq.topic': deadLetters,
      'reconcile.group': 'bench-live',
      'checkpoint.interval.ms': String(intervalMs),
    },
    'follow',
  )
  const latencies: number[] = []
  let firstDueMs = Infinity
  let seen = 0
  const reader = new CommittedReader(benchSettings(world.flags).kafka, output, partitions, (records) => {
    const now = systemClock.now()
    for (const { timestamp } of records) {
      seen += 1
      firstDueMs = Math.min(firstDueMs, timestamp)
      if (timestamp >= firstDueMs + warmUpSeconds * 1000) latencies.push(now - timestamp)
    }
  })
  try {
    job.go()
    await job.reading
    const total = perSecond * (warmUpSeconds + seconds)
    const appender = fork(appendFile, [
      JSON.stringify(world.flags),
      input,
      String(perSecond),
      String(warmUpSeconds + seconds),
    ])
    const appended = once(appender, 'exit')
    await sleep(systemClock, warmUpSeconds * 1000)
    const pids = [job.pid, kafkaPid, cassandraPid]
    const startedMs = systemClock.now()
    const before = pids.map((pid) => processFigures(pid).cpuMicros)
    await appended
    const micros = (systemClock.now() - startedMs) * 1000
    const [node = 0, kafka = 0, cassandra = 0] = pids.map(
      (pid, at) => (processFigures(pid).cpuMicros - (before[at] ?? 0)) / micros,
    )
    const endedMs = systemClock.now()
    while (seen < total && systemClock.now() - endedMs < lastOutputsMs) await sleep(systemClock, 50)
    if (seen !== total) throw new Error(`The run is wrong: ${String(seen)} outputs of ${String(total)} records`)
    const sorted = latencies.toSorted((a, b) => a - b)
    const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0
    return {
      perSecond,
      seconds,
      intervalMs,
      count: sorted.length,
      p50: at(0.5),
      p99: at(0.99),
      max: at(1),
      cpuCores: { node, kafka, cassandra },
    }
  } finally {
    job.stop()
    await job.ended.catch(() => undefined)
    await reader.close()
  }
}
