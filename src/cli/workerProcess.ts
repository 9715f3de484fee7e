import { fork } from 'node:child_process'
import { once } from 'node:events'
import type { JobResult } from '../runtime/metrics/jobMetrics.ts'
import type { ExitCode } from './output/errorText.ts'

/** A worker as the process sees it that started it. */
export interface WorkerProcess {
  /** Resolves when it has ended, with the result of its run, null when it had none to tell. */
  readonly ended: Promise<{ readonly code: ExitCode; readonly result: JobResult | null }>
  /** Finish the epochs, commit and end; said again: leave at once. */
  stop(): void
}

/** This process as a worker. */
export interface OwnWorker {
  /** From 0 on. */
  readonly index: number
  readonly count: number
  onStop(callback: () => void): () => void
  /** Hands the result to the process that started this one; resolves when it is on its way. */
  report(result: JobResult): Promise<void>
}

/** Says to a started process that it is a worker, and which: `0/3`. */
const variable = 'TIDEMARK_WORKER'

export function forkWorker(index: number, count: number): WorkerProcess {
  const [, file = '', ...args] = process.argv
  const child = fork(file, args, {
    env: { ...process.env, [variable]: `${String(index)}/${String(count)}` },
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  let result: JobResult | null = null
  child.on('message', (message) => {
    // Only `report` of our own process sends, and this is what it sends.
    result = message as JobResult
  })
  let stops = 0
  return {
    ended: ended(child).then((code) => ({ code, result })),
    stop() {
      stops += 1
      // A worker that has ended takes no messages, and needs none.
      if (child.connected) child.send(stops === 1 ? 'stop' : 'leave', () => undefined)
    },
  }
}

async function ended(child: ReturnType<typeof fork>): Promise<ExitCode> {
  const [code] = (await once(child, 'exit')) as [number | null]
  // Killed by a signal, or with a code of Node's own, it has failed.
  return code === 0 || code === 2 || code === 3 ? code : 1
}

/**
 * Null for a process that is no worker. A worker is stopped by the process that started it, by that one's end, and by
 * SIGTERM; Ctrl-C, which a terminal sends to all processes, is for the other one to answer.
 */
export function ownWorker(): OwnWorker | null {
  const [, index, count] = /^(\d{1,4})\/(\d{1,4})$/.exec(process.env[variable] ?? '') ?? []
  if (process.send === undefined || index === undefined) return null
  return {
    index: Number(index),
    count: Number(count),
    onStop: onStopOfWorker,
    report: (result) =>
      new Promise((resolve) => {
        // Whoever has gone needs no result.
        if (process.connected) process.send?.(result, undefined, {}, () => resolve())
        else resolve()
      }),
  }
}

function onStopOfWorker(callback: () => void): () => void {
  let asked = false
  const ask = (): void => {
    if (asked) return
    asked = true
    callback()
  }
  // A supervisor may send SIGTERM to every process, so the first one is the same wish as the other's `stop`.
  let terminations = 0
  const onTerminate = (): void => {
    terminations += 1
    if (terminations === 1) ask()
    else callback()
  }
  const onMessage = (message: unknown): void => {
    ask()
    if (message === 'leave') callback()
  }
  const onInterrupt = (): void => undefined
  process.on('message', onMessage).on('disconnect', ask).on('SIGTERM', onTerminate).on('SIGINT', onInterrupt)
  // The channel must not keep a process alive that has nothing more to do.
  process.channel?.unref()
  return () => {
    process.off('message', onMessage).off('disconnect', ask).off('SIGTERM', onTerminate).off('SIGINT', onInterrupt)
  }
}
