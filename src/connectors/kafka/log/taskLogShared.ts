import type { Clock } from '../../../core/ports/clock.ts'
import type { JobLogSpec } from '../../../core/ports/jobLog.ts'
import type { Logger } from '../../../core/ports/logger.ts'
import type { TaskId } from '../../../core/ports/task.ts'
import type { RecordPosition } from '../../../core/record.ts'
import type { KafkaCluster } from '../client/kafkaCluster.ts'
import type { TopicDirectory } from '../client/topicDirectory.ts'
import type { KafkaConfig } from '../config/kafkaConfig.ts'
import type { Fetcher } from '../read/fetcher.ts'
import type { ReadBudget } from '../read/readBudget.ts'

/** What the tasks of one process share. */
export interface TaskLogShared
  extends
    Pick<JobLogSpec, 'groupId' | 'transactionalIdPrefix'>,
    Pick<KafkaConfig, 'transactionTimeoutMs' | 'compression' | 'readAhead'> {
  readonly cluster: KafkaCluster
  readonly clock: Clock
  readonly log: Logger
  readonly topics: TopicDirectory
  readonly fetcher: Fetcher
  readonly budget: ReadBudget
  readonly changelogTopic: string
  readonly writeAheadTopic: string
  /** Topics in which the job keeps what is its own: no sink writes there. */
  readonly ownTopics: ReadonlySet<string>
  /** Topics that the plan names; others are chosen by records. */
  readonly outputs: ReadonlySet<string>
  /** Where what cannot be read of the inputs is to be passed. */
  readonly skips: readonly RecordPosition[]
  /** Told of an input that does not exist; true: the tasks will be dealt out without it. */
  missing(topic: string): boolean
  /**
   * Resolves when the group has just confirmed that the task is this process's; rejects when it is not, or nobody answers.
   * Without it a process that was declared dead would take its tasks back from their new owners.
   */
  confirm(partition: number): Promise<void>
}

/** Which task a log is for. */
export interface KafkaTaskSpec {
  readonly task: TaskId
  /** Topics that have the task's partition. */
  readonly topics: readonly string[]
}
