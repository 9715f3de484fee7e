import type { TaskLog } from '../../../core/ports/taskLog.ts'
import { KafkaChangelog } from './kafkaChangelog.ts'
import { KafkaCommitLog } from './kafkaCommitLog.ts'
import { KafkaInputs } from './kafkaInputs.ts'
import { KafkaOutputs } from './kafkaOutputs.ts'
import { KafkaWriteAheadLog } from './kafkaWriteAheadLog.ts'
import type { KafkaTaskSpec, TaskLogShared } from './taskLogShared.ts'

/** Kafka as one task sees it. */
export class KafkaTaskLog implements TaskLog {
  readonly partition: number
  readonly inputs: KafkaInputs
  readonly commitLog: KafkaCommitLog
  readonly changelog: KafkaChangelog
  readonly outputs: KafkaOutputs
  readonly writeAheadLog: KafkaWriteAheadLog

  constructor(shared: TaskLogShared, spec: KafkaTaskSpec) {
    this.partition = spec.task.partition
    this.inputs = new KafkaInputs(shared, spec)
    this.changelog = new KafkaChangelog(shared, this.partition)
    this.outputs = new KafkaOutputs(shared)
    this.writeAheadLog = new KafkaWriteAheadLog(shared, this.partition)
    this.commitLog = new KafkaCommitLog(shared, spec.task, this)
  }

  async close(): Promise<void> {
    this.inputs.close()
    await this.commitLog.close()
  }
}
