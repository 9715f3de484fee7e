import type { ControlRecord } from '../controlRecord.ts'
import type { RecordPosition } from '../record.ts'
import type { TopicSelection } from '../topicSelection.ts'
import type { TaskChangelog } from './changelog.ts'
import type { TaskCommitLog } from './commitLog.ts'
import type { TaskInputs } from './inputs.ts'
import type { TaskLog } from './taskLog.ts'

/** What a job needs of the log, known from the plan. */
export interface JobLogSpec {
  /** Its name as deployed. */
  readonly job: string
  /** `source`, or the uid of a rekey. */
  readonly group: string
  /** The consumer group. */
  readonly groupId: string
  readonly inputs: readonly TopicSelection[]
  /** Topics of lists that may be missing: they are then no inputs. Default none. */
  readonly dropInputs?: readonly string[]
  /** Where what cannot be read is to be passed. Default nowhere. */
  readonly skips?: readonly RecordPosition[]
  /** Topics the sinks write, as far as the plan knows them. */
  readonly outputs: readonly string[]
  readonly transactionalIdPrefix: string
  /** True when the topics must have equal partition counts: several sources, or any state. */
  readonly copartitioned: boolean
  /** True when sinks follow the commits: the tasks have a write-ahead log. Default false. */
  readonly follows?: boolean
  /**
   * Asked by `open` before anything is made or changed; rejects when what ran under the job's name, or in its group, is
   * another deployment's.
   */
  readonly admit?: (earlier: EarlierRuns) => Promise<void>
}

/** What the runtime does with tasks that come and go with the consumer group. */
export interface TaskListener {
  /** A task is ours from now on; the runtime recovers it and runs its epochs. */
  assigned(task: TaskLog): void
  /**
   * The group is about to rejoin: every task cuts its epoch now. Resolves when all have committed or given theirs up; the
   * caller bounds the wait, and a task that was not done in time keeps its epoch if it stays.
   */
  rebalancing(): Promise<void>
  /** A task goes away: resolves when its epoch is committed or given up. */
  revoked(partition: number): Promise<void>
  /** The group itself failed for good. */
  failed(error: Error): void
}

/** A task as anybody may look at it who does not own it. */
export interface TaskView {
  readonly partition: number
  readonly inputs: Pick<TaskInputs, 'topics' | 'format' | 'topicId' | 'range' | 'positionAtTime'>
  readonly commitLog: Pick<TaskCommitLog, 'committed'>
  readonly changelog: Pick<TaskChangelog, 'range' | 'read'>
}

/** What a log shows of earlier runs under a job's name, and in its group. */
export interface EarlierRuns extends Pick<JobLog, 'partitionCounts' | 'tasks' | 'control'> {
  /** So many tasks, from the first on, have a changelog now that may be looked at; 0: nothing has run under the name. */
  changelogs(): Promise<number>
}

/** A job's membership in the log: resolves topics at `open`, deals out tasks after `join`. */
export interface JobLog {
  /** Partition count by input topic, as found at open. */
  readonly partitionCounts: ReadonlyMap<string, number>
  /** Every task that the inputs make now, whoever owns it: what must be known before a reset. */
  tasks(): readonly TaskView[]
  /** The job's control record as it stands when this is called, or later; null: there never was a reset. */
  control(): Promise<ControlRecord | null>
  /**
   * Replaces the control record by what `next` makes of it; resolves when every later `control` of any process gives the new
   * one. No other replacement comes in between: of two at once one rejects with `commit-failed`. What `next` throws rejects,
   * and nothing is written.
   */
  replaceControl(next: (current: ControlRecord | null) => Promise<ControlRecord>): Promise<ControlRecord>
  /** All tasks of the group, by partition number (in the embedded world all of them are this process's). */
  join(listener: TaskListener): Promise<void>
  /**
   * Resolves when no rebalance is under way and every task that is this process's has been handed over: at once, most of the
   * time. A bounded run ends only then.
   */
  settled(): Promise<void>
  /**
   * Leaves at once, also during a join, which then resolves. Nothing is assigned any more. `restarting`: this process is
   * started again soon, so a log that can keep its tasks for it until then does.
   */
  leave(how?: { readonly restarting: boolean }): Promise<void>
}
