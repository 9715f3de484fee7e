import type { OffsetSpan } from './recordBatch.ts'

/** A batch that is whole, and the number of the write that stored it. */
export interface FoundBatch extends OffsetSpan {
  readonly sequence: number
  /** Its records were lost before: the store is a copy of a damaged one. */
  readonly isLost: boolean
}

/** What is there of a partition. */
export interface CoveredRanges {
  /** In the order of their offsets; none covers what another does. */
  readonly batches: readonly FoundBatch[]
  /** Between them, before the first, and where one that cannot be read was the last. */
  readonly missing: readonly OffsetSpan[]
  /** Behind the last. */
  readonly end: number
}

/**
 * Which batches of a partition count. Of two that cover the same offsets it is the one that was written later: compaction
 * has given it the range of the other, and that the other was deleted may be what was lost. `reached`: where the partition
 * ended at least, by batches that are there and cannot be read.
 */
export function coveredRanges(found: readonly FoundBatch[], reached = 0): CoveredRanges {
  const batches: FoundBatch[] = []
  for (const batch of found.toSorted((a, b) => a.last - b.last || a.sequence - b.sequence)) {
    let before = batches.length
    let isOlder = false
    for (; !isOlder && (batches[before - 1]?.last ?? -1) >= batch.first; before -= 1) {
      isOlder = (batches[before - 1]?.sequence ?? 0) > batch.sequence
    }
    if (isOlder) continue
    batches.length = before
    batches.push(batch)
  }
  const missing: OffsetSpan[] = []
  let next = 0
  for (const { first, last } of batches) {
    if (first > next) missing.push({ first: next, last: first - 1 })
    next = last + 1
  }
  if (next >= reached) return { batches, missing, end: next }
  return { batches, missing: [...missing, { first: next, last: reached - 1 }], end: reached }
}
