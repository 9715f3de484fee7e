import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import { RecordBatchBuilder } from '../../../src/connectors/kafka/protocol/recordBatchBuilder.ts'
import type { KafkaWorld } from '../../connectors/kafka/kafkaWorld.ts'
import { startProcess } from '../../cli/cliProcess.ts'

/** How a run of the job has ended, and how much of the machine's memory its process had at most. */
export interface Weighed {
  readonly code: unknown
  readonly out: string
  readonly err: string
  /** Null where the system does not tell. */
  readonly mostMiB: number | null
}

/** A batch of one record, or of several that are alike. */
export async function batchOf(
  count: number,
  value: Buffer,
  compression: 'none' | 'gzip' | 'zstd' = 'zstd',
): Promise<Buffer> {
  const builder = new RecordBatchBuilder()
  for (let n = 0; n < count; n += 1) builder.add({ timestamp: Date.now(), key: null, value, headers: [] })
  return builder.build(null, compression)
}

/** The topics of a job under this name: what it reads may be large, what it writes is not. */
export async function weighTopics(world: KafkaWorld, name: string): Promise<void> {
  await world.createTopic(`${name}-in`, 1, { 'max.message.bytes': '200000000' })
  await world.createTopic(`${name}-out`, 1)
  await world.createTopic(`${name}-dlq`, 1)
}

/** Runs the job in a process of its own, with its default settings, to the end of its input. */
export async function weigh(brokers: string, name: string, args: readonly string[] = []): Promise<Weighed> {
  const directory = mkdtempSync(path.join(tmpdir(), 'tidemark-weigh-'))
  const given = [`--kafka.bootstrap.servers=${brokers}`, `--job.name=${name}`, '--dashboard.port=0', ...args]
  const child = startProcess(directory, ['src/cli/tidemark.js', 'run', 'test/support/jobs/weigh.ts', ...given])
  let mostMiB: number | null = null
  const look = setInterval(() => {
    mostMiB = mostResidentMiB(child.pid) ?? mostMiB
  }, 25)
  try {
    const [out, err, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')])
    return { code: code as unknown, out, err, mostMiB }
  } finally {
    clearInterval(look)
    rmSync(directory, { recursive: true })
  }
}

/** The most that a process has had, as Linux keeps it; null elsewhere, and when the process has gone. */
function mostResidentMiB(pid: number | undefined): number | null {
  try {
    const [, kib] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${String(pid)}/status`, 'utf8')) ?? []
    return kib === undefined ? null : Number(kib) / 1024
  } catch {
    return null
  }
}
