/*
 * The reconcile job in a process of its own, as a user runs it, without the terminal around it. Started by
 * realReconcile.ts: `reconcileProcess.ts <flags as JSON> follow|bounded`; begins at the message `go`, ends in order at `stop`.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import job from '../../jobs/reconcile.ts'
import { jobEnvironment } from '../../src/composition.ts'
import { CassandraRowLookup } from '../../src/connectors/cassandra/lookup/cassandraRowLookup.ts'
import { DriverSession } from '../../src/connectors/cassandra/client/driverSession.ts'
import { KafkaJobLogs } from '../../src/connectors/kafka/log/kafkaJobLogs.ts'
import { systemClock } from '../../src/core/ports/clock.ts'
import type { Resource } from '../../src/core/ports/port.ts'
import { systemRandom } from '../../src/core/ports/random.ts'
import type { JobEnvironment } from '../../src/runtime/job/jobEnvironment.ts'
import { startJob } from '../../src/runtime/job/startJob.ts'
import { silentLogger } from '../../src/core/ports/logger.ts'
import type { JobResult } from '../../src/runtime/metrics/jobMetrics.ts'
import { runnableJob } from '../../src/runtime/plan/runnableJob.ts'
import { runOptions } from '../../src/runtime/job/runOptions.ts'
import { benchSettings, type Flags } from './benchSettings.ts'

/** What the process tells its parent: that it has loaded its modules, that it reads, and how it ended. */
export type ProcessReport =
  { readonly kind: 'loaded' } | { readonly kind: 'reading' } | ({ readonly kind: 'ended' } & EndReport)

export interface EndReport {
  readonly result: JobResult
  /** From `go` until the first task had recovered: connections, the group, fences. */
  readonly startMs: number
  readonly cpuMicros: number
  /** Largest seen, every 100 ms. */
  readonly heapMiB: number
  readonly residentMiB: number
  /** To Cassandra, and the keys in them. */
  readonly requests: number
  readonly keys: number
}

const sampleMs = 100

async function run(flags: Flags, follow: boolean): Promise<EndReport> {
  const { settings, kafka, cassandra } = benchSettings(flags)
  const dataDirectory = mkdtempSync(path.join(tmpdir(), 'tidemark-bench-'))
  const machine = { clock: systemClock, random: systemRandom, log: silentLogger, dataDirectory }
  const rows = (): Resource => {
    const session = new DriverSession(cassandra, systemClock, silentLogger)
    return new CassandraRowLookup(session, cassandra, systemClock, silentLogger)
  }
  const environment = jobEnvironment(
    new KafkaJobLogs({ ...machine, config: kafka }),
    // The job opens rows and nothing else.
    rows as JobEnvironment['provide'],
    { ...machine, stateBackend: 'file:', slot: null, controlAddress: null },
  )
  let heap = 0
  const sampling = setInterval(() => {
    heap = Math.max(heap, process.memoryUsage().heapUsed)
  }, sampleMs)
  try {
    const cpu = process.cpuUsage()
    const startedMs = systemClock.now()
    let readingMs: number | null = null
    const clients: Resource[] = []
    const observed: JobEnvironment = {
      ...environment,
      provide: (port) => {
        const client = environment.provide(port)
        clients.push(client)
        return client
      },
    }
    // A job of its own: what an earlier one has committed is not this one's past.
    const name = settings.job['reconcile.group']
    const running = startJob({ ...runnableJob(job, settings), name }, observed, {
      ...runOptions(settings, systemClock),
      follow,
      reset: null,
      onProgress: () => {
        if (readingMs !== null) return
        readingMs = systemClock.now()
        tell({ kind: 'reading' })
      },
    })
    process.on('message', (text) => {
      if (text === 'stop') running.stop()
    })
    const result = await running.finished
    const { user, system } = process.cpuUsage(cpu)
    const figures = clients.flatMap((client) => client.figures?.() ?? [])
    const valueOf = (figure: string): number => figures.find((one) => one.name === figure)?.value ?? 0
    return {
      result,
      startMs: (readingMs ?? startedMs) - startedMs,
      cpuMicros: user + system,
      heapMiB: heap / 2 ** 20,
      residentMiB: process.resourceUsage().maxRSS / 1024,
      requests: valueOf('cassandra_requests'),
      keys: valueOf('cassandra_keys'),
    }
  } finally {
    clearInterval(sampling)
    await environment.close()
    rmSync(dataDirectory, { recursive: true })
  }
}

function tell(report: ProcessReport): void {
  process.send?.(report)
}

if (import.meta.main) {
  const [flags = '{}', kind] = process.argv.slice(2)
  process.on('message', (text) => {
    if (text !== 'go') return
    void run(JSON.parse(flags) as Flags, kind === 'follow').then(
      (report) => {
        tell({ kind: 'ended', ...report })
        process.disconnect()
      },
      (error: unknown) => {
        console.error(error)
        process.exitCode = 1
        process.disconnect()
      },
    )
  })
  tell({ kind: 'loaded' })
}
