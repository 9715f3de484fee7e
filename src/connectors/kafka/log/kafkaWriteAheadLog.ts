import type { OffsetRange } from '../../../core/ports/changelog.ts'
import type { EpochTransaction } from '../../../core/ports/commitLog.ts'
import type { LoggedChunk, TaskWriteAheadLog } from '../../../core/ports/writeAheadLog.ts'
import type { KafkaCluster } from '../client/kafkaCluster.ts'
import { readRange, readWrittenEnd } from '../read/partitionOffsets.ts'
import { readPartition } from '../read/readPartition.ts'
import { ensureOwnTopic } from './ownTopic.ts'
import type { TaskLogShared } from './taskLogShared.ts'

const maxMessageBytes = 16 * 1024 * 1024

/** Makes the topic of the write-ahead logs, or checks the one that is there: nothing but its tasks removes from it. */
export async function ensureWriteAheadTopic(cluster: KafkaCluster, name: string, tasks: number): Promise<void> {
  await ensureOwnTopic(cluster, {
    name,
    kind: 'write-ahead',
    partitions: tasks,
    config: {
      'cleanup.policy': 'delete',
      'retention.ms': '-1',
      'retention.bytes': '-1',
      'max.message.bytes': String(maxMessageBytes),
    },
    needs: ['cleanup.policy', 'retention.ms', 'retention.bytes', 'max.message.bytes'],
    purpose: "holds the rows of the job's sinks that follow its commits",
    otherwise: 'rows would be lost',
  })
}

/** The write-ahead log of one task: its partition of the topic. */
export class KafkaWriteAheadLog implements TaskWriteAheadLog {
  readonly maxChunkBytes = maxMessageBytes - 1024 * 1024
  readonly #shared: TaskLogShared
  readonly #partition: number

  constructor(shared: TaskLogShared, partition: number) {
    this.#shared = shared
    this.#partition = partition
  }

  append(transaction: Pick<EpochTransaction, 'send'>, { sink, bytes }: LoggedChunk): void {
    const { writeAheadTopic: topic, clock } = this.#shared
    const [partition, key] = [this.#partition, Buffer.from(sink)]
    transaction.send({ topic, partition, key, value: bytes, headers: [], timestamp: clock.now() }, 'exactly-once')
  }

  range(): Promise<OffsetRange> {
    return readRange(this.#shared.cluster, this.#shared.writeAheadTopic, this.#partition)
  }

  writtenEnd(): Promise<number> {
    return readWrittenEnd(this.#shared.cluster, this.#shared.writeAheadTopic, this.#partition)
  }

  async *read(from: number, to: number): AsyncGenerator<readonly (LoggedChunk & { readonly offset: number })[], void> {
    const { fetcher, writeAheadTopic: topic } = this.#shared
    for await (const records of readPartition(fetcher, { topic, partition: this.#partition }, from, to)) {
      yield records.map(({ key, raw, offset }) => ({
        sink: key?.toString() ?? '',
        bytes: raw ?? Buffer.alloc(0),
        offset,
      }))
    }
  }

  async trim(before: number): Promise<void> {
    const { cluster, writeAheadTopic: topic } = this.#shared
    const partition = this.#partition
    await cluster.atLeader(topic, partition, `Trimming ${topic}, partition ${String(partition)}`, (leader) =>
      leader.deleteRecords({ topics: [{ topic, partitions: [{ partition, offset: String(before) }] }] }),
    )
  }
}
