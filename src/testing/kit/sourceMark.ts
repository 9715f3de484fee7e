/**
 * Stands in the data of a test topic, as in Bytewax's TestingSource. It belongs to the partition of the record before it
 * (partition 0 at the very beginning) and works when all before it in that partition has been read.
 */
export type SourceMark =
  { readonly kind: 'eof' } | { readonly kind: 'abort' } | { readonly kind: 'pause'; readonly ms: number }

/** The run ends here: what follows is written, in all topics, only when the run is resumed. */
export const EOF: SourceMark = { kind: 'eof' }

/** The process dies here, once, as by kill -9; a new one then recovers and goes on. */
export const ABORT: SourceMark = { kind: 'abort' }

/** Nothing arrives for that long, in virtual ms: long enough, and the open epoch is committed meanwhile. */
export function PAUSE(ms: number): SourceMark {
  return { kind: 'pause', ms }
}

/** A mark where it stands in a partition. */
export interface PlacedMark {
  /** It works before the record of this offset. */
  readonly offset: number
  readonly mark: Exclude<SourceMark, { kind: 'eof' }>
  /** When a pause ends; null before it began. */
  untilMs: number | null
  /** It has worked, and does nothing any more: an ABORT does not repeat itself at the recovery. */
  spent: boolean
}
