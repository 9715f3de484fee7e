import type { Logger } from '../core/ports/logger.ts'
import type { JobResult } from '../runtime/metrics/jobMetrics.ts'
import type { Tally } from '../runtime/plan/defineJob.ts'
import type { CliIo } from './cliIo.ts'
import type { ExitCode } from './output/errorText.ts'

/** What the workers of a run ended with. */
export interface WorkersEnded {
  /** The worst of theirs. */
  readonly code: ExitCode
  /** Of all workers together; null when none had one. */
  readonly result: JobResult | null
}

/**
 * Starts worker processes in the job's consumer group and waits until all have ended. A signal is passed on to each of
 * them. Nothing is restarted: what a failed worker leaves behind, the others take over.
 */
export async function runWorkers(io: CliIo, count: number, log: Logger): Promise<WorkersEnded> {
  const beganMs = io.clock.monotonicMs()
  const workers = Array.from({ length: count }, (_, index) => io.startWorker(index, count))
  const release = io.onStop(() => {
    for (const worker of workers) worker.stop()
  })
  try {
    const ends = await Promise.all(
      workers.map(async ({ ended }, index) => {
        const end = await ended
        if (end.code !== 0) {
          log.error('A worker has failed; the others take its partitions over', { worker: index + 1, code: end.code })
        }
        return end
      }),
    )
    const results = ends.flatMap(({ result }) => result ?? [])
    return {
      code: Math.max(...ends.map(({ code }) => code)) as ExitCode,
      result: results.length === 0 ? null : merged(results, io.clock.monotonicMs() - beganMs),
    }
  } finally {
    release()
  }
}

/** The results of processes that ran side by side as the result of one run. */
function merged(results: readonly JobResult[], durationMs: number): JobResult {
  const tallies = new Map<string, Tally>()
  for (const tally of results.flatMap((result) => result.tallies)) {
    const key = JSON.stringify([tally.name, tally.labels])
    tallies.set(key, { ...tally, count: tally.count + (tallies.get(key)?.count ?? 0) })
  }
  return {
    outcome: results.some(({ outcome }) => outcome === 'stopped') ? 'stopped' : 'completed',
    ...summed(results.map(({ records, epochs, undecided, aborted }) => ({ records, epochs, undecided, aborted }))),
    tallies: [...tallies.values()],
    phases: summed(results.map(({ phases }) => phases)),
    durationMs,
    gate: summed(results.map(({ gate }) => gate)),
  }
}

function summed<Counts extends Readonly<Record<keyof Counts, number>>>(all: readonly Counts[]): Counts {
  return all.reduce((sum, counts) => {
    const names = Object.keys(counts) as (keyof Counts)[]
    return Object.fromEntries(names.map((name) => [name, sum[name] + counts[name]])) as Counts
  })
}
