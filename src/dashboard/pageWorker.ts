import { parentPort, workerData } from 'node:worker_threads'
import { systemClock } from '../core/ports/clock.ts'
import { listen, type ListenOptions } from './listen.ts'
import { loadPage } from './page.ts'
import { PageServer } from './pageServer.ts'
import type { FromPage } from './pageThread.ts'
import { Snapshots, type Reply, type JobAnswer } from './snapshots.ts'
import { WorkBudget } from './workBudget.ts'

const urgent: ReadonlySet<string> = new Set(['/healthz', '/readyz'])
const paths = ['/', '/metrics', '/api/status', ...urgent]

/** What the page may take of one processor. */
const share = 0.04
const burstMs = 15

let sleptMs = 0

async function serve(job: NonNullable<typeof parentPort>, options: ListenOptions): Promise<void> {
  const say = (message: FromPage): void => {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, and no window
    job.postMessage(message)
  }
  const { html, contentSecurityPolicy } = loadPage()
  const page: Reply = { status: 200, type: 'text/html; charset=utf-8', body: Buffer.from(html), contentSecurityPolicy }
  const snapshots = new Snapshots({
    clock: systemClock,
    urgent,
    ask: (path) => {
      say({ kind: 'asked', path })
    },
  })
  job.on('message', (answer: JobAnswer) => {
    snapshots.answered(answer)
  })
  const budget = new WorkBudget({ clock: systemClock, workedMs, sleep: sleepHere, share, burstMs })
  const { server } = new PageServer({
    clock: systemClock,
    paths,
    urgent,
    answer: (path) => (path === '/' ? Promise.resolve(page) : snapshots.get(path)),
    pay: () => {
      budget.pay()
    },
  })
  const at = await listen(server, options)
  server.on('error', ({ code = 'no reason' }: NodeJS.ErrnoException) => {
    say({ kind: 'refused', code })
  })
  say({ kind: 'listening', at })
}

function workedMs(): number {
  // Node 22 does not know it.
  if (typeof process.threadCpuUsage !== 'function') return performance.eventLoopUtilization().active - sleptMs
  const { user, system } = process.threadCpuUsage()
  return (user + system) / 1_000
}

function sleepHere(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
  sleptMs += ms
}

// The thread that has the page's port: no connection, and nothing that is sent on one, costs the job's thread anything. It is
// asked for what is to be shown, once in a while.
if (parentPort !== null) await serve(parentPort, workerData as ListenOptions)
