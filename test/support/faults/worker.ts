import { spawn, type ChildProcess } from 'node:child_process'
import { appendFileSync } from 'node:fs'
import path from 'node:path'

const launcher = path.resolve('src/cli/tidemark.js')

export interface WorkerOptions {
  readonly job: string
  /** Names the process at the broker as well (`kafka.client.id`). */
  readonly name: string
  readonly settings: Readonly<Record<string, string | number>>
  /** Takes everything that the process prints. */
  readonly logFile: string
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
  readonly #child: ChildProcess
  #end: WorkerEnd | null = null
  #lines: string[] = []

  constructor({ job, name, settings, logFile }: WorkerOptions) {
    this.name = name
    const flags = Object.entries(settings).map(([key, value]) => `--${key}=${String(value)}`)
    this.#child = spawn(process.execPath, [launcher, 'run', job, '--follow', `--kafka.client.id=${name}`, ...flags], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
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
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        const lines = text.split('\n').filter((line) => line !== '')
        this.#lines = [...this.#lines, ...lines].slice(-200)
        appendFileSync(logFile, lines.map((line) => `${name} ${line}\n`).join(''))
      })
    }
  }

  get isAlive(): boolean {
    return this.#end === null
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
