import { Secrets } from '../../src/core/secrets.ts'
import type { OperatorContext } from '../../src/core/context.ts'
import type { Port, Resource } from '../../src/core/ports/port.ts'
import { changelogRecords } from '../../src/state/changelogRecords.ts'
import { MemoryStateStore } from '../../src/state/memoryStateStore.ts'
import { openTaskState } from '../../src/state/taskState.ts'
import type { JobEnvironment } from '../../src/runtime/job/jobEnvironment.ts'
import type { RunOptions } from '../../src/runtime/job/runOptions.ts'
import { startJob, type RunningJob } from '../../src/runtime/job/startJob.ts'
import type { Pipelines } from '../../src/runtime/plan/defineJob.ts'
import type { JobResult } from '../../src/runtime/metrics/jobMetrics.ts'
import { createRestartStrategy, type RestartPolicy } from '../../src/runtime/task/restart.ts'
import { silentLogger } from '../../src/core/ports/logger.ts'
import { ManualClock } from '../../src/testing/world/manualClock.ts'
import { MemoryLog } from '../../src/testing/world/memoryLog.ts'
import { openMemoryJobLog } from '../../src/testing/world/memoryJobLog.ts'
import { seededRandom } from '../../src/testing/world/seededRandom.ts'
import { TestProcess } from '../../src/testing/world/testProcess.ts'

export type TestPipeline = (context: OperatorContext) => Pipelines

export interface MemoryJobOptions {
  readonly follow?: boolean
  readonly checkpoint?: { readonly intervalMs?: number; readonly minPauseMs?: number; readonly timeoutMs?: number }
  readonly restart?: RestartPolicy
  readonly epochBytes?: number
  readonly reset?: RunOptions['reset']
  readonly allowDropped?: boolean
  readonly followerMaxBytes?: number
  readonly acceptTopics?: readonly string[]
  readonly dropInputs?: readonly string[]
  readonly skips?: RunOptions['skips']
  readonly resources?: ReadonlyMap<Port<Resource>, Resource>
  readonly name?: string
  /** Puts something between the job and its world: another clock, a log with faults. */
  readonly environment?: (world: JobEnvironment) => JobEnvironment
}

/** A job in memory on a manual clock, for tests of the runtime itself. */
export class MemoryJob {
  readonly clock: ManualClock
  readonly log: MemoryLog
  readonly #stores = new Map<number, MemoryStateStore>()

  constructor(clock = new ManualClock(1_700_000_000_000), log = new MemoryLog()) {
    this.clock = clock
    this.log = log
  }

  /** The same job on another machine, which has no local state. */
  onOtherDisks(): MemoryJob {
    return new MemoryJob(this.clock, this.log)
  }

  /** Appends texts to a topic, one partition unless it was made with more. */
  write(topic: string, values: readonly (string | null)[], partition = 0): void {
    this.log.append(
      values.map((value) => ({
        topic,
        partition,
        key: null,
        value: value === null ? null : Buffer.from(value),
        headers: [],
        timestamp: this.clock.now(),
      })),
    )
  }

  start(pipeline: TestPipeline, options: MemoryJobOptions = {}): RunningJob {
    const { clock, log } = this
    const process = new TestProcess({ clock })
    const environment: JobEnvironment = {
      clock,
      random: seededRandom(1),
      log: silentLogger,
      records: changelogRecords,
      openLog: (spec) => openMemoryJobLog(log, spec, process),
      openState: async ({ partition }) => {
        const store = this.#stores.get(partition) ?? new MemoryStateStore()
        this.#stores.set(partition, store)
        return openTaskState(store, clock)
      },
      provide: <T extends Resource>(port: Port<T>): T => {
        const resource = options.resources?.get(port)
        if (resource === undefined) throw new Error(`no ${port.name} in this test`)
        return resource as T
      },
    }
    return startJob(
      { name: options.name ?? 'test', settings: {}, secrets: new Secrets(), pipeline },
      options.environment?.(environment) ?? environment,
      {
        follow: options.follow ?? false,
        reset: options.reset ?? null,
        acceptTopics: options.acceptTopics ?? [],
        dropInputs: options.dropInputs ?? [],
        skips: options.skips ?? [],
        limits: { epochBytes: options.epochBytes ?? 16 * 1024 * 1024, jsonMaxDepth: 256 },
        checkpoint: { intervalMs: 1000, minPauseMs: 0, timeoutMs: 60_000, ...options.checkpoint },
        restart: createRestartStrategy(options.restart ?? { strategy: 'none' }, clock),
        warnRecords: Infinity,
        allowDropped: options.allowDropped ?? false,
        followerMaxBytes: options.followerMaxBytes ?? Infinity,
      },
    )
  }

  /** Runs to the end, letting as much virtual time pass as it takes. */
  run(pipeline: TestPipeline, options: MemoryJobOptions = {}): Promise<JobResult> {
    return this.clock.runUntil(this.start(pipeline, options).finished)
  }

  /** Committed values of a topic, by partition and offset. */
  read(topic: string): (string | null)[] {
    if (!this.log.topicNames.includes(topic)) return []
    return this.log
      .topic(topic)
      .records()
      .map(({ value }) => value?.toString() ?? null)
  }
}

/** Rejects with the error of a run; fails when it succeeds. */
export async function failure(run: Promise<unknown>): Promise<Error> {
  try {
    await run
  } catch (error) {
    if (error instanceof Error) return error
    throw error
  }
  throw new Error('the run succeeded')
}
