/**
 * Where a task without a commit begins. It applies only there: the resolved position is committed as epoch 0 before the
 * first read, so that a crash before epoch 1 skips nothing.
 */
export type StartMode =
  | { readonly kind: 'earliest' }
  | { readonly kind: 'latest' }
  /** Start only from committed offsets; fails with `no-committed-offset` where there are none. */
  | { readonly kind: 'committed' }
  | { readonly kind: 'timestamp'; readonly timestampMs: number }
  /** Offsets by partition; a partition that is absent starts at earliest. */
  | { readonly kind: 'offsets'; readonly offsets: ReadonlyMap<number, number> }

export const earliest: StartMode = { kind: 'earliest' }
export const latest: StartMode = { kind: 'latest' }

/** Committed offsets, and what to do where there are none: fail (default) or start at one end. */
export function committedOffsets(otherwise?: 'earliest' | 'latest'): StartMode {
  return { kind: otherwise ?? 'committed' }
}
