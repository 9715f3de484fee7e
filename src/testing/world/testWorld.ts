import { TidemarkError } from '../../core/errors.ts'
import type { Random } from '../../core/ports/random.ts'
import type { Provision } from '../../core/ports/system.ts'
import type { SettingSpecs } from '../../core/setting.ts'
import type { StartMode } from '../../core/startMode.ts'
import type { Job } from '../../runtime/plan/defineJob.ts'
import type { JobEnvironment } from '../../runtime/job/jobEnvironment.ts'
import { startJob } from '../../runtime/job/startJob.ts'
import type { JobResult } from '../../runtime/metrics/jobMetrics.ts'
import { guards } from '../../runtime/attempt/guards.ts'
import { onStray } from '../kit/onStray.ts'
import { runOptions } from '../../runtime/job/runOptions.ts'
import { runnableJob } from '../../runtime/plan/runnableJob.ts'
import { MemoryStateDisk, MemoryStateStore } from '../../state/memoryStateStore.ts'
import { ManualClock } from './manualClock.ts'
import { MemoryTarget } from './memoryFollower.ts'
import { openMemoryJobLog } from './memoryJobLog.ts'
import { MemoryLog } from './memoryLog.ts'
import { MemoryTables } from './memoryTables.ts'
import { seededRandom } from './seededRandom.ts'
import { testEnvironment, testSettings } from '../kit/testEnvironment.ts'
import { TestLogger } from '../kit/testLogger.ts'
import { TestProcess, type CrashPoint } from './testProcess.ts'
import { testTopics, writeRun, type TestTopic, type TestTopics } from '../kit/testSource.ts'

/** When a world begins, unless its clock says otherwise. */
const startMs = Date.UTC(2026, 0, 1)

/** More processes than any test kills: one that dies at every start never gets on. */
const maxProcesses = 1_000

export interface TestWorldOptions {
  /** Input by topic: items, or a `testTopic` for more partitions. */
  readonly topics: TestTopics
  /** Tables with rows, as `tidemark table load` takes them, or `MemoryTables` for latency, errors and timeouts. */
  readonly tables?: readonly unknown[] | MemoryTables
  /** Doubles for the ports of the job's own systems: `provided(port, () => double)`; asked once a process. */
  readonly provide?: readonly Provision<unknown>[]
  /** Settings of the framework and the job by key, as flags; the machine's environment and files are not read. */
  readonly settings?: Readonly<Record<string, string>>
  /** Decides everything random; default 1. */
  readonly seed?: number
  /** Default: a new one at 2026-01-01 UTC. */
  readonly clock?: ManualClock
  /** Kills the process at a call to the outside; see `TestProcess`. The index counts over all processes. */
  readonly crashAt?: (call: string, index: number) => CrashPoint | null
  /** Whether the local state is found again after a crash; default `kept`. */
  readonly localState?: 'kept' | 'lost'
}

/** How long a run is. */
export interface WorldRunOptions {
  /** Goes on at the end of the input for so many virtual ms, then stops gracefully. Default: a bounded run. */
  readonly followMs?: number
  /** Begins anew there, with empty state, as `--reset-offsets` does. Default: goes on from the last commit. */
  readonly reset?: StartMode
  /** Starts although there is keyed state that no step claims, as `--allow-dropped` does. Default false. */
  readonly allowDropped?: boolean
}

/** A process of a run: what it committed, and why it died if it did. */
export interface ProcessEnd {
  readonly result: JobResult
  readonly crash: string | null
}

/**
 * Everything outside of a job's processes, in memory and under one virtual clock: the log, the tables, the disks with
 * local state. It outlives the processes, so that a test can kill, resume and look.
 */
export class TestWorld {
  readonly clock: ManualClock
  readonly log: MemoryLog = new MemoryLog()
  readonly tables: MemoryTables
  /** What sinks under `memoryTargetPort` write to. */
  readonly target: MemoryTarget = new MemoryTarget()
  readonly logger: TestLogger = new TestLogger()
  readonly #topics: readonly TestTopic[]
  readonly #options: TestWorldOptions
  readonly #random: Random
  readonly #disks: Map<string, MemoryStateDisk> = new Map<string, MemoryStateDisk>()
  #runs = 0
  #calls = 0

  constructor(options: TestWorldOptions) {
    const { topics, tables = [], seed = 1, clock = new ManualClock(startMs) } = options
    this.#options = options
    this.clock = clock
    this.tables = tables instanceof MemoryTables ? tables : new MemoryTables(tables)
    this.#topics = testTopics(topics)
    this.#random = seededRandom(seed)
  }

  /**
   * Runs a job until its input up to the next EOF is committed, with a new process after each crash. Rejects with the
   * error that stopped the job.
   *
   * Virtual time passes as fast as the job lets it; timers that are left over stay on the clock, so a test can assert that
   * `clock.pending` is 0.
   */
  async run<Specs extends SettingSpecs>(
    job: Job<Specs>,
    { followMs, reset, allowDropped = false }: WorldRunOptions = {},
  ): Promise<ProcessEnd[]> {
    for (const topic of this.#topics) writeRun(this.log, topic, this.#runs, this.clock.now())
    this.#runs += 1
    const stopAtMs = followMs === undefined ? null : this.clock.monotonicMs() + followMs
    const name = this.#options.settings?.['job.name'] ?? job.name
    const decided = this.log.control(name)?.request.id
    const ends: ProcessEnd[] = []
    while (ends.length < maxProcesses) {
      // A reset that was decided is not asked for again: the next process carries on with it.
      const pendingReset = this.log.control(name)?.request.id === decided ? (reset ?? null) : null
      const end = await this.#runProcess(job, stopAtMs, { reset: pendingReset, allowDropped })
      ends.push(end)
      if (end.crash === null) return ends
      if (this.#options.localState === 'lost') this.#disks.clear()
    }
    throw new TidemarkError(
      'broken-invariant',
      `${String(maxProcesses)} processes in a row have died, the last one ${ends.at(-1)?.crash ?? ''}. Let crashAt stop at some call.`,
    )
  }

  async #runProcess<Specs extends SettingSpecs>(
    job: Job<Specs>,
    stopAtMs: number | null,
    { reset, allowDropped }: { readonly reset: StartMode | null; readonly allowDropped: boolean },
  ): Promise<ProcessEnd> {
    const { crashAt } = this.#options
    const process = new TestProcess({
      clock: this.clock,
      crashAt: (call) => {
        this.#calls += 1
        return crashAt?.(call, this.#calls - 1) ?? null
      },
    })
    const settings = testSettings(job, this.#options.settings ?? {}, stopAtMs !== null)
    const running = startJob(runnableJob(job, settings), this.#environment(process), {
      ...runOptions(settings, process.clock),
      follow: stopAtMs !== null,
      reset,
      allowDropped,
    })
    const strays: TidemarkError[] = []
    const release = onStray((error) => {
      const stray = guards.unawaitedWork(error)
      strays.push(stray)
      running.fail(stray)
    })
    const stopping =
      stopAtMs === null
        ? null
        : process.clock.after(Math.max(0, stopAtMs - this.clock.monotonicMs()), () => {
            running.stop()
          })
    try {
      const end = await this.clock.runUntil(
        Promise.race([
          running.finished.then((result) => ({ result, crash: null })),
          process.crashed.then((crash) => ({ result: running.metrics.result('stopped'), crash })),
        ]),
      )
      // In memory an epoch may be committed before Node has told of a rejection.
      const [stray] = strays
      if (stray !== undefined) throw stray
      return end
    } catch (error) {
      // Whatever the job has left behind must not go on under the feet of the next run.
      process.kill('the job has failed')
      throw error
    } finally {
      release()
      stopping?.cancel()
    }
  }

  #environment(process: TestProcess): JobEnvironment {
    return testEnvironment({
      process,
      random: this.#random,
      log: this.logger,
      tables: this.tables,
      target: this.target,
      provide: this.#options.provide,
      openLog: (spec) => openMemoryJobLog(this.log, spec, process),
      openStore: ({ job, group, partition }) => {
        const task = JSON.stringify([job, group, partition])
        const disk = this.#disks.get(task) ?? new MemoryStateDisk()
        this.#disks.set(task, disk)
        return new MemoryStateStore(disk)
      },
    })
  }
}
