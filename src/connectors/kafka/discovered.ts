import { readCommitMetadata } from '../../core/commitMetadata.ts'
import type { GroupOffset } from './groupOffsets.ts'
import { wholeMetadata } from './offsetMetadata.ts'
import type { Place } from './recordPlacement.ts'

/**
 * Whether a job had begun before a topic had this partition, by what the group has committed: each task has noted at its
 * first commit how many partitions its topics had, and they are those that have the task's own. So a topic that task 2 has
 * not noted had two partitions at most, which says nothing of the first two.
 */
export function isDiscovered(committed: readonly GroupOffset[], { topic, partition }: Place): boolean {
  return [...Map.groupBy(committed, (offset) => offset.partition)].some(([task, offsets]) => {
    const whole = wholeMetadata(new Map(offsets.map((offset) => [offset.topic, offset])))
    return [...whole.values()].some(({ metadata }) => {
      const commit = readCommitMetadata(metadata)
      return commit !== null && (commit.partitionCounts[topic] ?? task) <= partition
    })
  })
}
