/**
 * A job that is never done, with its page, for a trial that attacks the page: it copies records as fast as it can, and what
 * it has read is written anew behind it. It tells its parent its port, and then its records a few times a second.
 */
import { hash } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { map } from 'rxjs'
import { fromKafka } from '../../../operators/fromKafka.ts'
import { toKafkaTransactional } from '../../../operators/toKafka.ts'
import { EmbeddedStore } from '../../../src/connectors/embedded/store/embeddedStore.ts'
import { systemClock } from '../../../src/core/ports/clock.ts'
import { Secrets } from '../../../src/core/secrets.ts'
import { startDashboard } from '../../../src/dashboard/startDashboard.ts'
import { silentLogger } from '../../../src/core/ports/logger.ts'
import { defineJob } from '../../../src/runtime/plan/defineJob.ts'
import { JobMetrics } from '../../../src/runtime/metrics/jobMetrics.ts'
import { startOnStore } from '../startOnStore.ts'

/** What the trial is told. */
export type FromAttackedJob = { readonly port: number } | Sample

/** What it has read so far, and the CPU that its work on the records and the page's thread have taken. */
export interface Sample {
  readonly records: number
  readonly atMs: number
  readonly workMs: number
  readonly pageCpuMs: number
}

const tellMs = 100
const ahead = 4_000
const chunk = 500
/** About half a millisecond: next to it the log's own work, which comes in bursts, is little. */
const rounds = 600

let workMs = 0

const directory = mkdtempSync(path.join(tmpdir(), 'tidemark-attacked-'))
const store = await EmbeddedStore.open(path.join(directory, 'log'), { clock: systemClock, partitions: 4 })
const job = defineJob({
  name: 'attacked',
  pipeline: (context) =>
    fromKafka(context, { topic: 'in', groupId: 'attacked' }).pipe(
      map((record) => record.withValue(hashed(String(record.value)))),
      toKafkaTransactional(context, { topic: 'out' }),
    ),
})
await append(ahead)
const metrics = new JobMetrics('attacked', systemClock)
const dashboard = await startDashboard({
  running: { metrics },
  port: 28_300,
  explicit: false,
  log: silentLogger,
  secrets: new Secrets(),
  world: 'embedded',
})
const running = startOnStore(job, store, { directory, follow: true, metrics })
let written = ahead
let isOver = false
const feeding = (async () => {
  while (!isOver) {
    if (written - metrics.recordsRead < ahead) {
      await append(chunk)
      written += chunk
    } else await new Promise((resolve) => setTimeout(resolve, 10))
  }
})()
tell({ port: Number(new URL(dashboard.address ?? '').port) })
const telling = setInterval(() => {
  tell({ records: metrics.recordsRead, atMs: performance.now(), workMs, pageCpuMs: pageCpuMs() })
}, tellMs)
process.once('disconnect', () => void stop())

async function stop(): Promise<void> {
  clearInterval(telling)
  isOver = true
  await feeding
  running.stop()
  await running.finished
  await dashboard.close()
  await store.close()
  rmSync(directory, { recursive: true })
  process.exit()
}

async function append(records: number): Promise<void> {
  const value = Buffer.alloc(160, 'v')
  await store.append(
    Array.from({ length: records }, (_, index) => ({
      topic: 'in',
      partition: index % 4,
      key: Buffer.from(String(index)),
      value,
      headers: [],
      timestamp: index,
    })),
  )
}

/** Of the thread by its name, as Linux counts it. */
function pageCpuMs(): number {
  const tasks = '/proc/self/task'
  const page = readdirSync(tasks).find((id) => readFileSync(`${tasks}/${id}/comm`, 'utf8') === 'live page\n')
  if (page === undefined) throw new Error('The page has no thread')
  return Number(readFileSync(`${tasks}/${page}/schedstat`, 'utf8').split(' ', 1)[0]) / 1e6
}

function tell(message: FromAttackedJob): void {
  // The trial may have ended in this moment.
  process.send?.(message, undefined, undefined, () => undefined)
}

/** Work for the processor, so that what else is done there shows. */
function hashed(text: string): string {
  const began = process.threadCpuUsage()
  let digest = text
  for (let round = 0; round < rounds; round += 1) digest = hash('sha256', digest + text, 'base64')
  const { user, system } = process.threadCpuUsage(began)
  workMs += (user + system) / 1_000
  return digest
}
