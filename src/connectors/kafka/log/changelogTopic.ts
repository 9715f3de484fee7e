import type { Logger } from '../../../core/ports/logger.ts'
import type { KafkaCluster } from '../client/kafkaCluster.ts'
import { ensureOwnTopic } from './ownTopic.ts'

/** How long a deletion stays readable; local state older than half of it is restored in full. Kafka's default. */
const deleteRetentionMs = 86_400_000

/** A restore that takes longer may miss a deletion. */
const shortRetentionMs = 3_600_000

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
