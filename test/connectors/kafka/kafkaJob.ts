import { Secrets } from '../../../src/core/secrets.ts'
import { systemClock } from '../../../src/core/ports/clock.ts'
import type { OperatorContext } from '../../../src/core/context.ts'
import type { LogFields, Logger } from '../../../src/core/ports/logger.ts'
import type { Port, Resource } from '../../../src/core/ports/port.ts'
import { systemRandom } from '../../../src/core/ports/random.ts'
import type { StartMode } from '../../../src/core/startMode.ts'
import { openKafkaJobLog, type KafkaJobLog } from '../../../src/connectors/kafka/log/kafkaJobLog.ts'
import type { KafkaConfig } from '../../../src/connectors/kafka/config/kafkaConfig.ts'
import type { Pipelines } from '../../../src/runtime/plan/defineJob.ts'
import type { JobEnvironment } from '../../../src/runtime/job/jobEnvironment.ts'
import { startJob, type RunningJob } from '../../../src/runtime/job/startJob.ts'
import { createRestartStrategy, type RestartPolicy } from '../../../src/runtime/task/restart.ts'
import { changelogRecords } from '../../../src/state/changelogRecords.ts'
import { MemoryStateStore } from '../../../src/state/memoryStateStore.ts'
import { openTaskState } from '../../../src/state/taskState.ts'

export interface KafkaJobOptions {
  readonly name: string
  /** What `context.settings` is. */
  readonly settings?: unknown
  readonly config: KafkaConfig
  readonly follow?: boolean
  readonly reset?: StartMode
  readonly acceptTopics?: readonly string[]
  readonly dropInputs?: readonly string[]
  readonly intervalMs?: number
  readonly epochBytes?: number
  readonly restart?: RestartPolicy
  readonly logger?: TestLog
  /** Told the log as soon as it is open. */
  readonly opened?: (log: KafkaJobLog) => void
}

/** What a process logs, to be looked at. */
export class TestLog implements Logger {
  readonly lines: { readonly level: string; readonly message: string; readonly fields: LogFields }[] = []

  debug(): void {
    // Too much of it.
  }

  info(message: string, fields: LogFields = {}): void {
    this.lines.push({ level: 'info', message, fields })
  }

  warn(message: string, fields: LogFields = {}): void {
    this.lines.push({ level: 'warn', message, fields })
  }

  error(message: string, fields: LogFields = {}): void {
    this.lines.push({ level: 'error', message, fields })
  }

  with(): Logger {
    return this
  }
}

/** One process of a job on a real broker, with state in its own memory: what a new process has of it comes from the changelog. */
export function startKafkaJob(pipeline: (context: OperatorContext) => Pipelines, options: KafkaJobOptions): RunningJob {
  const { name, config, follow = false, reset = null, intervalMs = 100 } = options
  const logger = options.logger ?? new TestLog()
  const stores = new Map<number, MemoryStateStore>()
  const environment: JobEnvironment = {
    clock: systemClock,
    random: systemRandom,
    log: logger,
    records: changelogRecords,
    openLog: async (spec) => {
      const log = await openKafkaJobLog(config, spec, { clock: systemClock, log: logger })
      options.opened?.(log)
      return log
    },
    openState: ({ partition }) => {
      const store = stores.get(partition) ?? new MemoryStateStore()
      stores.set(partition, store)
      return openTaskState(store, systemClock)
    },
    provide: <T extends Resource>(port: Port<T>): T => {
      throw new Error(`no ${port.name} in this test`)
    },
  }
  return startJob({ name, settings: options.settings ?? {}, secrets: new Secrets(), pipeline }, environment, {
    follow,
    reset,
    acceptTopics: options.acceptTopics ?? [],
    dropInputs: options.dropInputs ?? [],
    limits: { epochBytes: options.epochBytes ?? 16 * 1024 * 1024, jsonMaxDepth: 256 },
    checkpoint: { intervalMs, minPauseMs: 0, timeoutMs: 30_000 },
    restart: createRestartStrategy(options.restart ?? { strategy: 'none' }, systemClock),
    warnRecords: Infinity,
  })
}

/** Waits until something holds. */
export async function until(what: string, holds: () => boolean | Promise<boolean>, withinMs = 20_000): Promise<void> {
  const end = Date.now() + withinMs
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(`not within ${String(withinMs)} ms: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
