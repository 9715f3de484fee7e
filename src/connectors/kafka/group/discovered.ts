import { beganBefore } from '../../../core/beganBefore.ts'
import { readCommitMetadata } from '../../../core/commitMetadata.ts'
import type { GroupOffset } from './groupOffsets.ts'
import { wholeMetadata } from '../log/offsetMetadata.ts'
import type { Place } from '../write/recordPlacement.ts'

/** Whether a job had begun before a topic had this partition, by what the group has committed. */
export function isDiscovered(committed: readonly GroupOffset[], { topic, partition }: Place): boolean {
  const noted = [...Map.groupBy(committed, (offset) => offset.partition)].flatMap(([task, offsets]) => {
    const whole = wholeMetadata(new Map(offsets.map((offset) => [offset.topic, offset])))
    return [...whole.values()].flatMap(({ metadata }) => {
      const commit = readCommitMetadata(metadata)
      return commit === null ? [] : [{ task, partitionCounts: commit.partitionCounts }]
    })
  })
  return beganBefore(noted, topic, partition)
}
