import type { TaskChangelog } from './changelog.ts'
import type { TaskCommitLog } from './commitLog.ts'
import type { TaskInputs } from './inputs.ts'
import type { TaskOutputs } from './outputs.ts'

/** The log as one task sees it: each part is a port with a conformance suite of its own in test/conformance. */
export interface TaskLog {
  readonly partition: number
  readonly inputs: TaskInputs
  readonly commitLog: TaskCommitLog
  readonly changelog: TaskChangelog
  readonly outputs: TaskOutputs
  close(): Promise<void>
}
