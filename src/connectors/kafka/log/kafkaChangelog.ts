import type { ChangelogEntry, OffsetRange, TaskChangelog } from '../../../core/ports/changelog.ts'
import type { Logger } from '../../../core/ports/logger.ts'
import { changelogEntry } from '../../../core/changelogRecords.ts'
import { visibleRange } from '../../../core/visibleRange.ts'
import type { KafkaCluster } from '../client/kafkaCluster.ts'
import type { TaskLogShared } from './taskLogShared.ts'
import { ensureOwnTopic } from './ownTopic.ts'
import { readPartition } from '../read/readPartition.ts'
import { readRange, readWrittenEnd } from '../read/partitionOffsets.ts'

/** How long a deletion stays readable; local state older than half of it is restored in full. Kafka's default. */
const deleteRetentionMs = 86_400_000

/** A restore that takes longer may miss a deletion. */
const shortRetentionMs = 3_600_000

/** The changelog of one task: its partition of the changelog topic. */
export class KafkaChangelog implements TaskChangelog {
  /** Where it ends after the last commit that is known of. */
  committedEnd = 0
  readonly #shared: TaskLogShared
  readonly #partition: number

  constructor(shared: TaskLogShared, partition: number) {
    this.#shared = shared
    this.#partition = partition
  }

  range(): Promise<OffsetRange> {
    const { cluster, changelogTopic, clock } = this.#shared
    return visibleRange(clock, this.committedEnd, {
      range: () => readRange(cluster, changelogTopic, this.#partition),
      writtenEnd: () => readWrittenEnd(cluster, changelogTopic, this.#partition),
    })
  }

  async *read(from: number, to: number): AsyncGenerator<readonly ChangelogEntry[], void> {
    // Behind the last commit stands its marker.
    if (from >= this.committedEnd && to <= this.committedEnd + 1 && from > 0) return
    const { start, end } = await this.range()
    const { fetcher, changelogTopic: topic } = this.#shared
    const place = { topic, partition: this.#partition }
    for await (const records of readPartition(fetcher, place, Math.max(start, from), Math.min(to, end))) {
      yield records.map(changelogEntry)
    }
  }

  /** Kafka compacts by itself. Entries of older generations are never read, and stay until the topic is deleted. */
  compact(): Promise<void> {
    return Promise.resolve()
  }
}

/**
 * Makes the changelog topic, or checks the one that is there: it must be compacted, and have a partition for every task.
 * Resolves with its `delete.retention.ms`. Rejects with `invalid-plan` for a topic that is not one of ours.
 */
export async function ensureChangelogTopic(cluster: KafkaCluster, name: string, tasks: number): Promise<number> {
  const configs = await ensureOwnTopic(cluster, {
    name,
    kind: 'changelog',
    partitions: tasks,
    config: {
      'cleanup.policy': 'compact',
      // The largest state value, with its key; Kafka itself takes 1 MiB by default.
      'max.message.bytes': String(16 * 1024 * 1024),
      'delete.retention.ms': String(deleteRetentionMs),
    },
    needs: ['cleanup.policy'],
    purpose: "is the job's changelog",
    otherwise: 'state would be lost',
  })
  return Number(configs.get('delete.retention.ms') ?? deleteRetentionMs)
}

/** Warns of deletions that may be gone before everybody has read them. */
export function checkDeleteRetention(name: string, retentionMs: number, log: Logger): void {
  if (retentionMs >= shortRetentionMs) return
  log.warn(
    `Changelog ${name} keeps deletions for ${String(retentionMs)} ms: local state older than half of that is restored in full, and a restore that takes longer may bring deleted keys back. Set delete.retention.ms=${String(deleteRetentionMs)}`,
    { topic: name },
  )
}
