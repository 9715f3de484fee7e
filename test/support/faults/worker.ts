import { spawn, type ChildProcess } from 'node:child_process'
import { appendFileSync } from 'node:fs'
import path from 'node:path'
import { withFileLimit } from './fileLimit.ts'
import { steppedClock } from './steppedClock.ts'

const launcher = 'src/cli/tidemark.js'

export interface WorkerOptions {
  readonly job: string
  /** Names the process at the broker as well (`kafka.client.id`). */
  readonly name: string
  readonly settings: Readonly<Record<string, string | number>>
  /** Options of the command besides. */
  readonly options?: readonly string[]
  /** Takes everything that the process prints. */
  readonly logFile: string
  /** Writes beyond it fail as on a full disk; default: none do. */
  readonly maxFileBytes?: number
  /** The checkout whose sources it runs; default: this one. */
  readonly checkout?: string
  /** A file that says how many ms its wall clock is off; see `steppedClock.ts`. */
  readonly clockFile?: string
}

export interface WorkerEnd {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

/** `tidemark run <job> --follow` as a process of its own, and what can happen to one. */
export class Worker {
  readonly name: string
  readonly ended: Promise<WorkerEnd>
  /** Resolves with its first line: how long a process takes until then is the machine's affair. */
  readonly started: Promise<void>
  /** Resolves when it is a member of its group, with its first tasks. Rejects when it has ended before. */
  readonly joined: Promise<void>
  readonly #child: ChildProcess
  #end: WorkerEnd | null = null
  #lines: string[] = []
  #tasks: readonly number[] = []

  constructor(options: WorkerOptions) {
    const { job, name, settings, logFile, maxFileBytes, checkout = process.cwd(), clockFile } = options
    this.name = name
    const flags = Object.entries(settings).map(([key, value]) => `--${key}=${String(value)}`)
    const stepped = clockFile === undefined ? [] : ['--import', steppedClock(clockFile)]
    const run = [
      ...stepped,
      path.resolve(checkout, launcher),
      'run',
      job,
      '--follow',
      ...(options.options ?? []),
      `--kafka.client.id=${name}`,
      ...flags,
    ]
    const { command, args } =
      maxFileBytes === undefined
        ? { command: process.execPath, args: run }
        : withFileLimit(maxFileBytes, process.execPath, run)
    this.#child = spawn(command, args, { cwd: checkout, stdio: ['ignore', 'pipe', 'pipe'] })
    this.ended = new Promise((resolve) => {
      this.#child.once('exit', (code, signal) => {
        this.#end = { code, signal }
        resolve(this.#end)
      })
    })
    this.started = new Promise((resolve) => {
      this.#child.stdout?.once('data', () => {
        resolve()
      })
      void this.ended.then(() => {
        resolve()
      })
    })
    const { promise: joined, resolve: nowJoined, reject: neverJoined } = Promise.withResolvers<void>()
    this.joined = joined
    // Whoever waits is told.
    joined.catch(() => undefined)
    // `close`, because its last lines may come after its end.
    this.#child.once('close', () => {
      neverJoined(new Error(`${name} has ended before it joined its group:\n${this.lastLines}`))
    })
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        const lines = text.split('\n').filter((line) => line !== '')
        for (const line of lines) {
          const tasks = joinedWith(line)
          if (tasks === null) continue
          this.#tasks = tasks
          nowJoined()
        }
        this.#lines = [...this.#lines, ...lines].slice(-200)
        appendFileSync(logFile, lines.map((line) => `${name} ${line}\n`).join(''))
      })
    }
  }

  get pid(): number {
    const { pid } = this.#child
    if (pid === undefined) throw new Error(`${this.name} could not be started`)
    return pid
  }

  get isAlive(): boolean {
    return this.#end === null
  }

  /** What its group gave it when it joined last. */
  get tasks(): readonly number[] {
    return this.#tasks
  }

  get lastLines(): string {
    return this.#lines.slice(-15).join('\n')
  }

  /** How many of the last lines have this in them. */
  count(text: string): number {
    return this.#lines.filter((line) => line.includes(text)).length
  }

  /** At once, from wherever it is called: what the proxy has not let through, the process never sees. */
  kill9(): void {
    this.#child.kill('SIGKILL')
  }

  freeze(): void {
    this.#child.kill('SIGSTOP')
  }

  thaw(): void {
    this.#child.kill('SIGCONT')
  }

  /** SIGTERM; resolves with how it ended. */
  terminate(): Promise<WorkerEnd> {
    this.#child.kill('SIGTERM')
    return this.ended
  }
}

/** The tasks that a line names which tells of a joined group; null for other lines. */
function joinedWith(line: string): readonly number[] | null {
  if (!line.includes('"msg":"Joined the consumer group"')) return null
  const [, tasks = ''] = /"tasks":"([\d,]*)"/.exec(line) ?? []
  return tasks === '' ? [] : tasks.split(',').map(Number)
}
