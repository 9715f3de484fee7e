import { createReadStream } from 'node:fs'
import path from 'node:path'
import { TidemarkError, messageOf } from '../core/errors.ts'
import { systemClock, type Clock } from '../core/ports/clock.ts'
import { forkWorker, ownWorker, type OwnWorker, type WorkerProcess } from './workerProcess.ts'

/** A stream that a command prints to. The process's own streams fit. */
export interface CliOutput {
  /** False when the reader is behind: `drain` is emitted when it has caught up. */
  write(data: string | Uint8Array): boolean
  on(event: 'drain' | 'error' | 'close', listener: (error?: NodeJS.ErrnoException) => void): unknown
  off(event: 'drain' | 'error' | 'close', listener: (error?: NodeJS.ErrnoException) => void): unknown
  readonly isTTY?: boolean
  readonly columns?: number
  hasColors?(): boolean
}

/** Everything of the process that a command touches, so that tests can stand in for it. */
export interface CliIo {
  readonly stdin: AsyncIterable<Buffer>
  /** True when a person types the input. */
  readonly stdinIsTerminal: boolean
  readonly stdout: CliOutput
  readonly stderr: CliOutput
  readonly environment: Readonly<Record<string, string | undefined>>
  /** The working directory: `application.properties` and relative paths are looked for here. */
  readonly directory: string
  readonly clock: Clock
  /** Calls back when the user asks the process to stop, until the returned call. */
  onStop(callback: () => void): () => void
  /**
   * Calls back with every error of the process that nobody has caught, until the returned call; of several the last one that
   * has asked is told.
   */
  onStray(callback: (error: unknown) => void): () => void
  /** Calls back with every warning of the process, which Node then prints no more. */
  onWarning(callback: (warning: Error) => void): void
  /** Lets the process end with 1, although its command may have ended well. */
  failLate(): void
  /** Ends the process without waiting for anything. */
  exitAtOnce(code: number): void
  /** Set in a process that another one started to share its work. */
  readonly worker: OwnWorker | null
  /** Starts this very command line again, as one of `count` workers. */
  startWorker(index: number, count: number): WorkerProcess
}

/** A file as a command names it, in pieces of up to 1 MiB; `-` is the standard input. Throws `invalid-input`. */
export async function* inputChunks({ stdin, directory }: CliIo, file: string): AsyncGenerator<Buffer, void, undefined> {
  try {
    const options = { highWaterMark: 1024 * 1024 }
    const chunks = file === '-' ? stdin : createReadStream(path.resolve(directory, file), options)
    for await (const chunk of chunks) yield chunk as Buffer
  } catch (error) {
    throw new TidemarkError('invalid-input', `${file} cannot be read: ${messageOf(error)}`, { cause: error })
  }
}

const stopSignals = ['SIGINT', 'SIGTERM'] as const

const strayEvents = ['unhandledRejection', 'uncaughtException'] as const

/** Names and codes of `--disable-warning`, which only Node's own printing heeds. */
function disabledWarnings(): ReadonlySet<string> {
  const options = [...process.execArgv, ...(process.env['NODE_OPTIONS'] ?? '').split(/\s+/)]
  return new Set(options.flatMap((option) => /^--disable-warning=(.+)$/.exec(option)?.[1] ?? []))
}

/** The process itself. */
export function processIo(): CliIo {
  const worker = ownWorker()
  const strays: ((error: unknown) => void)[] = []
  const tellLast = (error: unknown): void => {
    strays.at(-1)?.(error)
  }
  return {
    stdin: process.stdin,
    stdinIsTerminal: process.stdin.isTTY,
    stdout: process.stdout,
    stderr: process.stderr,
    environment: process.env,
    directory: process.cwd(),
    clock: systemClock,
    onStop(callback) {
      if (worker !== null) return worker.onStop(callback)
      for (const signal of stopSignals) process.on(signal, callback)
      return () => {
        for (const signal of stopSignals) process.off(signal, callback)
      }
    },
    onStray(callback) {
      if (strays.length === 0) for (const event of strayEvents) process.on(event, tellLast)
      strays.push(callback)
      return () => {
        strays.splice(strays.lastIndexOf(callback), 1)
        if (strays.length === 0) for (const event of strayEvents) process.off(event, tellLast)
      }
    },
    onWarning(callback) {
      // Where Node was told to print none, nobody wants to see any.
      const own = process.listeners('warning').filter(({ name }) => name === 'onWarning')
      if (own.length === 0) return
      for (const listener of own) process.off('warning', listener)
      const disabled = disabledWarnings()
      process.on('warning', (warning) => {
        const code = 'code' in warning ? String(warning.code) : ''
        if (!disabled.has(warning.name) && !disabled.has(code)) callback(warning)
      })
    },
    failLate() {
      process.once('exit', (code) => {
        if (code === 0) process.exitCode = 1
      })
    },
    exitAtOnce(code) {
      process.exit(code)
    },
    worker,
    startWorker: forkWorker,
  }
}
