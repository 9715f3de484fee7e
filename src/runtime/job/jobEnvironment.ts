import type { ChangelogRecords } from '../../core/changelogRecords.ts'
import type { Clock } from '../../core/ports/clock.ts'
import type { TidemarkError } from '../../core/errors.ts'
import type { JobLog, JobLogSpec } from '../../core/ports/jobLog.ts'
import type { Logger } from '../../core/ports/logger.ts'
import type { Port, Resource } from '../../core/ports/port.ts'
import type { Random } from '../../core/ports/random.ts'
import type { TaskId } from '../../core/ports/task.ts'
import type { TaskState } from '../../core/ports/taskState.ts'

/** A world as the runtime sees it; put together in src/composition.ts and src/testing. */
export interface JobEnvironment {
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  readonly records: ChangelogRecords
  openLog(spec: JobLogSpec): Promise<JobLog>
  openState(task: TaskId): Promise<TaskState>
  /** A client that is not connected yet; asked once per port. Throws `invalid-plan` for a port this world does not have. */
  provide<T extends Resource>(port: Port<T>): T
  /**
   * Calls back when a store that the whole job stands on takes no more writes, whoever has met that: also while the job waits
   * for input and would not notice. The call that is returned ends it. Absent: each task meets the failures of its own stores.
   */
  onFailure?(failed: (error: TidemarkError) => void): () => void
}
