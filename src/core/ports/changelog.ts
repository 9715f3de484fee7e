/** One entry of a task's changelog: the last value of a state key; null deletes it. */
export interface ChangelogEntry {
  readonly key: Buffer
  readonly value: Buffer | null
}

/** Offsets that can be read: `start` is the first one kept, `end` the last stable offset (exclusive). */
export interface OffsetRange {
  readonly start: number
  readonly end: number
}

/** The log of a task's state: the transactions of its commit log write it, a restore reads it. */
export interface TaskChangelog {
  /** Reaches at least as far as what is known to be committed. */
  range(): Promise<OffsetRange>
  /** Committed entries in [from, to), in order, in batches. */
  read(from: number, to: number): AsyncIterable<readonly ChangelogEntry[]>
  /** Drops superseded entries; entries for which `keep` is false go too. May do nothing where the log compacts itself. */
  compact(keep: (key: Buffer) => boolean): Promise<void>
}
