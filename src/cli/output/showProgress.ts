import { SingleBar } from 'cli-progress'
import type { JobMetrics } from '../../runtime/metrics/jobMetrics.ts'
import type { CliOutput } from '../cliIo.ts'

/** Where progress is shown. */
export interface ProgressView {
  readonly update: (metrics: JobMetrics) => void
  /** Removes it. Idempotent. */
  end(): void
}

/** Runs that end sooner show none. */
const delayMs = 500

/** A bar with rate and estimated end for a bounded run on a terminal; nothing elsewhere. */
export function showProgress(output: CliOutput, follow: boolean): ProgressView {
  if (follow || output.isTTY !== true) return { update: () => undefined, end: () => undefined }
  const bar = new SingleBar({
    format: '  {bar} {percentage}%  {value} of {total} records  {rate}/s  {eta_formatted} left',
    barCompleteChar: '#',
    barIncompleteChar: '.',
    barsize: 30,
    etaBuffer: 50,
    clearOnComplete: true,
    hideCursor: false,
    // What is drawn is the process's own standard error in every use but tests, which are no terminals.
    stream: process.stderr,
  })
  return {
    update({ recordsCommitted: records, backlog, durationMs }) {
      if (durationMs < delayMs || records === 0) return
      const rate = Math.round(records / (durationMs / 1000))
      if (bar.isActive) {
        bar.setTotal(Math.max(backlog, records))
        bar.update(records, { rate })
      } else {
        bar.start(Math.max(backlog, records), records, { rate })
      }
    },
    end() {
      if (bar.isActive) bar.stop()
    },
  }
}
