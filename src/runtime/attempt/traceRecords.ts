import type { Clock } from '../../core/ports/clock.ts'
import type { Limits } from '../../core/context.ts'
import { TaskGate } from '../../core/ports/gate.ts'
import type { Logger } from '../../core/ports/logger.ts'
import type { Port, Resource } from '../../core/ports/port.ts'
import type { Random } from '../../core/ports/random.ts'
import type { OutputRecord, StreamRecord } from '../../core/record.ts'
import type { StateAttempt } from '../../core/ports/taskState.ts'
import { EpochAttempt } from '../attempt/epochAttempt.ts'
import type { RunnableJob } from '../plan/runnableJob.ts'

export interface TraceEnvironment {
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  readonly limits: Limits
  /** The keyed state of one task, which its records find as the records before them have left it. */
  readonly state: StateAttempt
  /** A connected client. */
  open<T extends Resource>(port: Port<T>): T
}

/**
 * Runs records of one partition through the job's real pipeline as one epoch, and returns what its sinks would have sent,
 * dead letters included. Nothing is committed, neither outputs nor state; the gate is not asked, so all of it is in memory.
 *
 * @throws TidemarkError what the pipeline fails with.
 */
export async function traceRecords(
  job: RunnableJob,
  records: readonly StreamRecord[],
  environment: TraceEnvironment,
): Promise<readonly OutputRecord[]> {
  const outputs: OutputRecord[] = []
  const attempt = new EpochAttempt({
    ...environment,
    open: (port) => environment.open(port),
    job,
    planning: false,
    partition: records[0]?.partition ?? 0,
    epoch: 0,
    gate: new TaskGate(environment.clock, () => undefined),
    kept: new Map(),
    sink: () => ({
      send: (output) => {
        outputs.push(output)
      },
      refusal: () => null,
    }),
    follow: () => ({ send: () => undefined, refusal: () => null }),
    lostAfterCommit: () => undefined,
  })
  attempt.start()
  for (const record of records) if (!attempt.settled) attempt.emit(record)
  if (!attempt.settled) attempt.barrier()
  await attempt.finished
  return outputs
}
