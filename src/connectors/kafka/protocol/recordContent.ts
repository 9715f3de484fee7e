import type { Header } from '../../../core/record.ts'

/** What is stored of a record. */
export interface RecordContent {
  /** ms since 1970; -1: none. */
  readonly timestamp: number
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: readonly Header[]
}
