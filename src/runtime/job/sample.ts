/** Options of the run command that concern the sample. */
export interface SampleOptions {
  /** Generate about this many messages instead of the bundled ones; null: the bundled sample. */
  readonly records: number | null
}

/** One record of a sample. */
export interface SampleRecord {
  readonly key: string | Buffer | null
  readonly value: string | Buffer | null
  readonly timestamp: number
  readonly partition?: number
}

/** Topics and tables that are loaded in one atomic batch. Iterables are consumed once. */
export interface Sample {
  readonly topics: Readonly<Record<string, Iterable<SampleRecord>>>
  /** Table definitions with rows, as `tidemark table load` reads them. */
  readonly tables: readonly unknown[]
}
