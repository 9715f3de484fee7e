import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { sleep, systemClock } from '../../../src/core/ports/clock.ts'
import type { OutputRecord } from '../../../src/core/record.ts'
import { KafkaWorld } from '../../connectors/kafka/kafkaWorld.ts'
import type { FaultServers } from './faultServers.ts'
import { LiveReader } from './liveReader.ts'
import type { SeenOutput } from './outputs.ts'
import { Worker, type WorkerOptions } from './worker.ts'

export const partitions = 4
export const sessionTimeoutMs = 6_000
export const restartDelayMs = 1_000
/** What a fault may cost after its end: the dead member's session, the longest wait between two tries, and 5 s. */
export const resumeLimitMs = sessionTimeoutMs + restartDelayMs + 5_000
export const lookupTimeoutMs = 2_000

/** A fault as it happened. */
export interface LoggedFault {
  readonly fault: string
  /** Messages that were there and not committed when it struck. */
  readonly uncommitted: number
  /** To the next commit of every partition, from the fault's end; of a kill, from the kill. */
  readonly resumedMs: number
  /** Of a killed broker: until everything that it had led had another leader. Part of `resumedMs`. */
  readonly ledMs?: number
}

/** What the job reads and writes, and under which group. */
export interface FaultedJob {
  readonly file: string
  readonly groupId: string
  readonly input: string
  readonly outputs: readonly string[]
  /** Message n of a partition; `id` must be found again in its output. */
  readonly message: (id: string, n: number) => { readonly key: string; readonly value: string }
  readonly settings: Readonly<Record<string, string | number>>
  /** What is wrong with an output, by an oracle that shares nothing with the job; null: nothing. */
  readonly expected: (output: SeenOutput) => string | null
  /** What takes the brakes off again, for the last worker. */
  readonly unlimited?: Readonly<Record<string, string | number>>
}

/** One job on real servers, its processes, its reader, and the log of what was done to them. */
export class FaultRun {
  readonly world: KafkaWorld
  readonly faults: LoggedFault[] = []
  readonly #servers: Pick<FaultServers, 'bootstrap' | 'cassandraProxy'>
  readonly #job: FaultedJob
  readonly #directory = mkdtempSync(path.join(tmpdir(), 'tidemark-faults-'))
  readonly #workers: Worker[] = []
  #reader: LiveReader | null = null
  /** Of the messages: an old time would be removed by retention. */
  readonly #beganMs = systemClock.now()
  #perPartition = 0
  #started = 0

  constructor(servers: Pick<FaultServers, 'bootstrap' | 'cassandraProxy'>, job: FaultedJob) {
    this.#servers = servers
    this.#job = job
    this.world = new KafkaWorld(servers.bootstrap)
  }

  /** Makes the topics and starts the reader. */
  async begin(): Promise<void> {
    const { input, outputs } = this.#job
    for (const topic of [input, ...outputs]) await this.world.createTopic(topic, partitions)
    this.#reader = new LiveReader(this.#servers.bootstrap, partitions, outputs)
  }

  get reader(): LiveReader {
    if (this.#reader === null) throw new Error('begin() comes first')
    return this.#reader
  }

  /** Messages written so far. */
  get messages(): number {
    return this.#perPartition * partitions
  }

  /** `data.dir` of its workers, unless they are given another. */
  get dataDirectory(): string {
    return path.join(this.#directory, 'data')
  }

  get logFile(): string {
    return path.join(this.#directory, 'workers.log')
  }

  /** Every message that was written, by its name. */
  get names(): readonly string[] {
    return Array.from({ length: partitions }, (_, p) =>
      Array.from({ length: this.#perPartition }, (__, n) => `${String(p)}:${String(n)}`),
    ).flat()
  }

  /** Writes messages until so many are there; while the broker is well, so that each stands there once. */
  async write(total: number): Promise<void> {
    const { input, message } = this.#job
    const end = Math.ceil(total / partitions)
    while (this.#perPartition < end) {
      const count = Math.min(1_000, end - this.#perPartition)
      const records: OutputRecord[] = []
      for (let partition = 0; partition < partitions; partition += 1) {
        for (let n = this.#perPartition; n < this.#perPartition + count; n += 1) {
          const { key, value } = message(`${String(partition)}:${String(n)}`, n)
          const fields = { key: Buffer.from(key), value: Buffer.from(value), headers: [], timestamp: this.#beganMs + n }
          records.push({ topic: input, partition, ...fields })
        }
      }
      await this.world.append(records)
      this.#perPartition += count
    }
  }

  start(
    settings: Readonly<Record<string, string | number>> = {},
    options: Pick<WorkerOptions, 'maxFileBytes' | 'checkout' | 'clockFile'> = {},
  ): Worker {
    this.#started += 1
    const { cassandraProxy } = this.#servers
    const worker = new Worker({
      job: this.#job.file,
      // Several jobs may share the servers.
      name: `${this.#job.groupId}-${String(this.#started)}`,
      logFile: this.logFile,
      ...options,
      settings: {
        'kafka.bootstrap.servers': this.#servers.bootstrap,
        ...(cassandraProxy === null
          ? {}
          : {
              'cassandra.contact.points': `127.0.0.1:${String(cassandraProxy.port)}`,
              'cassandra.local.datacenter': 'datacenter1',
            }),
        'data.dir': this.dataDirectory,
        'checkpoint.interval.ms': 200,
        'kafka.session.timeout.ms': sessionTimeoutMs,
        'kafka.heartbeat.interval.ms': 500,
        'kafka.request.timeout.ms': 4_000,
        'restart.delay.ms': restartDelayMs,
        'restart.max.delay.ms': restartDelayMs,
        'dashboard.port': 0,
        'log.format': 'json',
        ...this.#job.settings,
        ...settings,
      },
    })
    this.#workers.push(worker)
    return worker
  }

  /** Committed positions by partition; 0 where there is none. */
  async committed(): Promise<readonly number[]> {
    const offsets = await this.world.groupOffsets(this.#job.groupId, this.#job.input)
    return offsets.map((offset) => Math.max(0, offset))
  }

  /** Resolves when every partition has committed so many messages. */
  async eachCommits(atLeast: number): Promise<void> {
    await this.until(
      `${String(atLeast)} messages of each partition are committed`,
      async () => {
        const committed = await this.committed()
        return committed.length === partitions && committed.every((offset) => offset >= atLeast)
      },
      60_000,
    )
  }

  async committedTotal(): Promise<number> {
    return sum(await this.committed())
  }

  /**
   * Keeps at least so many messages ahead of the job, in each partition its share, so that the next fault has something to
   * lose in every process.
   */
  async keepAhead(ahead = 4_000): Promise<void> {
    const committed = await this.committed()
    const left = Array.from({ length: partitions }, (_, partition) => this.#perPartition - (committed[partition] ?? 0))
    if (Math.min(...left) < ahead / partitions) await this.write(this.messages + 2 * ahead)
  }

  /**
   * Logs a fault whose end is now, and waits for the next commit of every partition. Rejects when it is not in time. `times`:
   * how often it counts, where it struck several processes at once. `led`: resolves when what a killed broker led is led anew.
   */
  async resumes(
    fault: string,
    uncommitted: number,
    {
      limitMs = resumeLimitMs,
      struckMs = systemClock.monotonicMs(),
      times = 1,
      led = null,
    }: { limitMs?: number; struckMs?: number; times?: number; led?: Promise<void> | null } = {},
  ): Promise<void> {
    const leading = led?.then(() => systemClock.monotonicMs() - struckMs)
    await this.goesOn(`commits go on in each partition after: ${fault}`, limitMs)
    const resumedMs = systemClock.monotonicMs() - struckMs
    const logged = { fault, uncommitted, resumedMs, ...(leading === undefined ? {} : { ledMs: await leading }) }
    for (let time = 0; time < times; time += 1) this.faults.push(logged)
    await this.checkLive()
  }

  /** Resolves with the next commit of every partition that has something left. */
  async goesOn(what: string, limitMs = resumeLimitMs): Promise<void> {
    const before = await this.committed()
    await this.until(
      what,
      async () => {
        const now = await this.committed()
        return (
          now.length === partitions &&
          now.every((offset, partition) => offset > (before[partition] ?? 0) || offset === this.#perPartition)
        )
      },
      limitMs,
    )
  }

  /** Logs a fault after which no commit is waited for. */
  note(fault: string, uncommitted: number): void {
    this.faults.push({ fault, uncommitted, resumedMs: 0 })
  }

  async until(what: string, holds: () => Promise<boolean> | boolean, limitMs: number): Promise<void> {
    const untilMs = systemClock.monotonicMs() + limitMs
    while (!(await holds())) {
      if (systemClock.monotonicMs() > untilMs) {
        const lines = this.#workers.map((worker) => `${worker.name}\n${worker.lastLines}`).slice(-3)
        throw new Error(`Not within ${String(limitMs)} ms: ${what}\n${lines.join('\n')}`)
      }
      await sleep(systemClock, 50)
    }
  }

  /** Commits all that is left, without the limits that keep the job slow; ends in order. */
  async finish(settings: Readonly<Record<string, string | number>> = {}, limitMs = 60_000): Promise<void> {
    const last = this.start({ ...this.#job.unlimited, ...settings })
    await this.until('everything is committed', async () => (await this.waiting()) === 0, limitMs)
    // Where nothing was left: before that it does not know the signal.
    await last.joined
    const { code } = await last.terminate()
    if (code !== 0) throw new Error(`${last.name} ended with ${String(code)} at SIGTERM:\n${last.lastLines}`)
  }

  /** Waits for a promise, and no longer than this. */
  async within(what: string, awaited: Promise<unknown>, limitMs: number): Promise<void> {
    let settled = false
    const done = awaited.finally(() => {
      settled = true
    })
    done.catch(() => undefined)
    await this.until(what, () => settled, limitMs)
    await done
  }

  /** Messages that are not committed. */
  async waiting(): Promise<number> {
    return this.messages - (await this.committedTotal())
  }

  /**
   * What holds at any time: nothing is doubled, and what the group has committed has its outputs. Commit markers of one
   * transaction reach the partitions one by one, and the open transaction of a dead process hides what comes after it until
   * its task is fenced, so outputs may follow the position.
   */
  async checkLive(): Promise<void> {
    const committed = await this.committed()
    const positions = sum(committed)
    if (committed.some((offset) => offset > this.#perPartition)) {
      throw new Error(
        `Committed ${committed.join(', ')}, and each partition has ${String(this.#perPartition)} messages`,
      )
    }
    await this.until(
      `a reader sees outputs for all committed positions (${committed.join(', ')})`,
      async () => (await this.reader.report()).seen >= positions,
      resumeLimitMs,
    )
    const { doubled, failures } = await this.reader.report()
    if (doubled.length + failures.length > 0)
      throw new Error(`Seen by a reader: ${[...doubled, ...failures].join('; ')}`)
  }

  /** Ends what still runs. With KEEP_FAULT_LOGS set the processes' output stays, and the faults are printed. */
  async close(): Promise<void> {
    this.#reader?.close()
    for (const worker of this.#workers.filter(({ isAlive }) => isAlive)) worker.kill9()
    await Promise.all(this.#workers.map(({ ended }) => ended))
    await this.world.close()
    if (process.env['KEEP_FAULT_LOGS'] === undefined) rmSync(this.#directory, { recursive: true, force: true })
    else process.stderr.write(`${this.logFile}\n${this.faults.map((fault) => JSON.stringify(fault)).join('\n')}\n`)
  }
}

export function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, n) => total + n, 0)
}
