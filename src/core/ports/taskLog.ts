import type { TaskChangelog } from './changelog.ts'
import type { TaskCommitLog } from './commitLog.ts'
import type { TaskInputs } from './inputs.ts'
import type { TaskOutputs } from './outputs.ts'
import type { TaskWriteAheadLog } from './writeAheadLog.ts'

/** The log as one task sees it: each part is a port with a conformance suite of its own in test/conformance. */
export interface TaskLog {
  readonly partition: number
  readonly inputs: TaskInputs
  readonly commitLog: TaskCommitLog
  readonly changelog: TaskChangelog
  readonly outputs: TaskOutputs
  /** Of a job with followers; of another one it must not be used. */
  readonly writeAheadLog: TaskWriteAheadLog
  close(): Promise<void>
}
