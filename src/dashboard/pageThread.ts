import { getCompileCacheDir } from 'node:module'
import path from 'node:path'
import { Worker } from 'node:worker_threads'
import { messageOf } from '../core/errors.ts'
import type { Logger } from '../core/ports/logger.ts'
import { noFilesLeft, type ListenOptions, type Listening } from './listen.ts'
import type { JobAnswer } from './snapshots.ts'

/** What the page's thread says to the job's. */
export type FromPage =
  | { readonly kind: 'listening'; readonly at: Listening }
  | { readonly kind: 'asked'; readonly path: string }
  | { readonly kind: 'refused'; readonly code: string }

export interface PageThread {
  readonly listening: Listening
  /** Frees the port and ends what is being answered. Idempotent. */
  readonly close: () => Promise<void>
}

/** TypeScript in the repository, JavaScript in the published package. */
const program = new URL(import.meta.url.endsWith('.ts') ? './pageWorker.ts' : './pageWorker.js', import.meta.url)

/** A page has some hundred kB to send; what goes wrong with more ends the page and not the job. */
const resourceLimits = { maxOldGenerationSizeMb: 64, maxYoungGenerationSizeMb: 16 }

/**
 * Starts the thread that has the page's port, and answers what it asks. Resolves when it listens or has no port. The
 * thread keeps no process alive, and when it ends the job goes on.
 */
export async function startPageThread(
  options: ListenOptions,
  { answer, log }: { readonly answer: (path: string) => Promise<Omit<JobAnswer, 'path'>>; readonly log: Logger },
): Promise<PageThread> {
  const worker = new Worker(program, {
    name: 'live page',
    workerData: { port: options.port, explicit: options.explicit },
    // Nothing of the settings and secrets of the job is there.
    env: compileCache(),
    argv: [],
    execArgv: [],
    resourceLimits,
  })
  const { promise, resolve } = Promise.withResolvers<Listening>()
  let isListening = false
  let isRefusing = false
  worker.on('error', (error) => {
    if (isListening) log.warn('The live page, /metrics and the health checks have ended', { reason: messageOf(error) })
    else resolve({ port: null, reason: wordsFor(messageOf(error)) })
  })
  worker.on('message', (message: FromPage) => {
    switch (message.kind) {
      case 'listening':
        isListening = true
        resolve(message.at)
        break
      case 'asked':
        void answer(message.path).then((answered) => {
          // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, and no window
          worker.postMessage({ path: message.path, ...answered } satisfies JobAnswer)
        })
        break
      case 'refused':
        // Once: it may go on for as long as there are too many open files.
        if (!isRefusing) log.warn('The live page cannot take connections', { reason: message.code })
        isRefusing = true
    }
  })
  const listening = await promise
  worker.unref()
  const close = async (): Promise<void> => {
    await worker.terminate()
  }
  if (listening.port === null) await close()
  return { listening, close }
}

/** Why the thread could not be started; it needs some files of its own. */
function wordsFor(message: string): string {
  return /E[MN]FILE|too many open files/i.test(message) ? noFilesLeft : `its thread cannot be started: ${message}`
}

/** What the launcher keeps compiled is found again: a third of the thread's start. */
function compileCache(): Record<string, string> {
  const directory = getCompileCacheDir()
  return directory === undefined ? {} : { NODE_COMPILE_CACHE: path.dirname(directory) }
}
