import { spawn, type ChildProcess } from 'node:child_process'
import { closeSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { sleep, systemClock } from '../../src/core/ports/clock.ts'
import { messageOf, TidemarkError } from '../../src/core/errors.ts'
import { logTail } from './logTail.ts'
import { isEnding, killIfRunsAs, runsAs } from './runsAs.ts'
import { underWatch } from './underWatch.ts'

/** What a server is, before it runs. */
export interface LocalServerSpec {
  /** For messages: `Kafka broker 1`. */
  readonly name: string
  /** `host:port` as its clients are given it. */
  readonly address: string
  /** Where it runs; `server.log` in it takes what it prints. The path must stand in its command line. */
  readonly directory: string
  readonly command: string
  readonly args: readonly string[]
  /** Resolves when the server answers its protocol; rejects with the reason while it does not. */
  ready(): Promise<void>
  /** How long a start may take, 120 s by default. */
  readonly startTimeoutMs?: number
  /** `process`: dies with this process, however that dies. `daemon`: runs on until somebody ends it by its id. */
  readonly lifetime: 'process' | 'daemon'
}

/** A server on this machine, and what can happen to it. */
export interface RunningServer {
  readonly address: string
  /** `undefined` while it is down. */
  readonly pid: number | undefined
  readonly logFile: string
  /** Ends it in order (SIGTERM, after 30 s SIGKILL). Its data stay. */
  stop(): Promise<void>
  /** Ends it as a power cut would end the process; resolves when it is gone. */
  kill9(): Promise<void>
  /** Starts it again on the same data and ports, in order (as by `stop`) when it still runs; resolves when it answers. */
  restart(): Promise<void>
  /** Stops its clock: connections stay open and nothing answers. */
  freeze(): void
  thaw(): void
}

interface Child {
  readonly pid: number
  readonly process: ChildProcess
  /** Resolves with how it ended. */
  readonly exited: Promise<string>
  ended: boolean
}

const pollMs = 50
const stopTimeoutMs = 30_000
const shownLogLines = 25

/** Starts a server and resolves when it answers; rejects with its last log lines when it ends before or is too slow. */
export async function startLocalServer(spec: LocalServerSpec): Promise<RunningServer> {
  const server = new LocalServer(spec)
  await server.restart()
  return server
}

class LocalServer implements RunningServer {
  readonly address: string
  readonly logFile: string
  readonly #spec: LocalServerSpec
  #child: Child | undefined

  constructor(spec: LocalServerSpec) {
    this.#spec = spec
    this.address = spec.address
    this.logFile = join(spec.directory, 'server.log')
  }

  get pid(): number | undefined {
    return this.#child?.ended === false ? this.#child.pid : undefined
  }

  async stop(): Promise<void> {
    const child = this.#child
    if (child === undefined || child.ended) return
    child.process.ref()
    this.#signal('SIGCONT')
    this.#signal('SIGTERM')
    const enough = new AbortController()
    await Promise.race([child.exited, sleep(systemClock, stopTimeoutMs, enough.signal)])
    enough.abort()
    await this.kill9()
  }

  async kill9(): Promise<void> {
    if (this.#child === undefined) return
    // Now this process does wait for it.
    this.#child.process.ref()
    this.#signal('SIGKILL')
    await this.#child.exited
  }

  async restart(): Promise<void> {
    await this.stop()
    const child = await this.#spawn()
    this.#child = child
    let ended: string | undefined
    void child.exited.then((how) => {
      ended = how
    })
    const { name, address, startTimeoutMs = 120_000 } = this.#spec
    const startedAtMs = systemClock.monotonicMs()
    let reason = 'no answer'
    while (systemClock.monotonicMs() - startedAtMs < startTimeoutMs) {
      await sleep(systemClock, pollMs)
      if (ended !== undefined) throw this.#notStarted(`${name} ended with ${ended} before it answered on ${address}`)
      const answer = await this.#spec.ready().then(
        () => undefined,
        (error: unknown) => messageOf(error),
      )
      if (answer === undefined) return
      reason = answer
    }
    await this.kill9()
    const seconds = String(Math.round(startTimeoutMs / 1000))
    throw this.#notStarted(`${name} did not answer on ${address} within ${seconds} s (${reason})`)
  }

  freeze(): void {
    this.#signal('SIGSTOP')
  }

  thaw(): void {
    this.#signal('SIGCONT')
  }

  #signal(signal: NodeJS.Signals): void {
    if (this.pid !== undefined) process.kill(this.pid, signal)
  }

  #notStarted(what: string): TidemarkError {
    const tail = logTail(this.logFile, shownLogLines)
    return new TidemarkError('server-not-started', `${what}; the last lines of ${this.logFile}:\n${tail}`)
  }

  async #spawn(): Promise<Child> {
    const { name, command, args, directory, lifetime } = this.#spec
    const log = openSync(this.logFile, 'a')
    // In a process group of its own, so that Ctrl-C reaches us alone and we end it in order.
    const child = spawn(command, args, { cwd: directory, detached: true, stdio: ['ignore', log, log] })
    closeSync(log)
    child.unref()
    const exited = new Promise<string>((resolve) => {
      child.once('exit', (code, signal) => {
        resolve(signal ?? `exit code ${String(code)}`)
      })
    })
    const { pid } = child
    if (pid === undefined) {
      const [error] = await new Promise<readonly unknown[]>((resolve) => {
        child.once('error', (...reason) => {
          resolve(reason)
        })
      })
      throw new TidemarkError('server-not-started', `${name}: ${command} cannot be run: ${messageOf(error)}`)
    }
    const running = { pid, process: child, exited, ended: false }
    if (lifetime === 'process') underWatch.addProcess(pid, directory)
    else writeFileSync(pidFile(directory), `${String(pid)}\n`)
    void exited.then(() => {
      running.ended = true
      if (lifetime === 'process') underWatch.removeProcess(pid, directory)
    })
    return running
  }
}

/**
 * The process id of the daemon whose files lie in this directory; `undefined` when none runs. A process that merely has
 * the id of one that was is told from it by its command line.
 */
export function daemonPid(directory: string): number | undefined {
  let pid
  try {
    pid = Number(readFileSync(pidFile(directory), 'utf8'))
  } catch {
    return undefined
  }
  return Number.isSafeInteger(pid) && pid > 1 && runsAs(pid, directory) ? pid : undefined
}

/** Ends the daemon of a directory: SIGTERM, after 30 s SIGKILL; its ports are free then. False when none runs. */
export async function stopDaemon(directory: string): Promise<boolean> {
  const pid = daemonPid(directory)
  if (pid !== undefined) {
    killIfRunsAs(pid, directory, 'SIGTERM')
    const startedAtMs = systemClock.monotonicMs()
    while (runsAs(pid, directory) || isEnding(pid)) {
      await sleep(systemClock, pollMs)
      if (systemClock.monotonicMs() - startedAtMs > stopTimeoutMs) killIfRunsAs(pid, directory, 'SIGKILL')
    }
  }
  rmSync(pidFile(directory), { force: true })
  return pid !== undefined
}

function pidFile(directory: string): string {
  return join(directory, 'server.pid')
}
