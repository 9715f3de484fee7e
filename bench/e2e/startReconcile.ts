import { fork } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Flags } from './benchSettings.ts'
import type { EndReport, ProcessReport } from './reconcileProcess.ts'

/** The job in its process, its modules loaded, waiting for `go`. */
export interface ReconcileProcess {
  readonly pid: number
  /** Resolves when the first task has recovered. */
  readonly reading: Promise<void>
  /** Resolves when the job has ended; rejects when the process has, without a result. */
  readonly ended: Promise<EndReport>
  go(): void
  stop(): void
}

export interface StartOptions {
  /** Where it writes a CPU profile at its end; default: it writes none. */
  readonly profileDirectory?: string | undefined
  /** The checkout whose job it is; default: this one. */
  readonly checkout?: string | undefined
}

const ownCheckout = fileURLToPath(new URL('../..', import.meta.url))

/** Starts the job's process. */
export async function startReconcile(
  flags: Flags,
  kind: 'follow' | 'bounded',
  { profileDirectory, checkout = ownCheckout }: StartOptions = {},
): Promise<ReconcileProcess> {
  const file = path.join(checkout, 'bench', 'e2e', 'reconcileProcess.ts')
  const execArgv = profileDirectory === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profileDirectory}`]
  const child = fork(file, [JSON.stringify(flags), kind], { execArgv })
  const reports = new Map<ProcessReport['kind'], (report: ProcessReport) => void>()
  child.on('message', (report: ProcessReport) => reports.get(report.kind)?.(report))
  const reading = new Promise<void>((resolve) => {
    reports.set('reading', () => {
      resolve()
    })
  })
  const ended = new Promise<EndReport>((resolve, reject) => {
    reports.set('ended', (report) => {
      if (report.kind === 'ended') resolve(report)
    })
    child.once('exit', (code) => {
      reject(new Error(`The job's process ended with ${String(code)}`))
    })
  })
  // Whoever waits for it is told; until then it is not unhandled.
  ended.catch(() => undefined)
  await once(child, 'message')
  return {
    pid: child.pid ?? 0,
    reading,
    ended,
    go: () => child.send('go'),
    stop: () => child.send('stop'),
  }
}
