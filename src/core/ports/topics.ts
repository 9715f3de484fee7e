import type { OutputRecord, StreamRecord } from '../record.ts'
import { Port, type Resource } from './port.ts'

/** What a topic looks like from outside. */
export interface TopicDescription {
  readonly name: string
  readonly partitions: number
  /** Largest record that is taken. */
  readonly maxMessageBytes: number
  /** Belongs to the system, or to a job: changelogs, control topics. */
  readonly internal: boolean
  /** Where committed records end, by partition. */
  readonly endOffsets: readonly number[]
}

/** How a topic is made; what is left out is the system's own default. */
export interface TopicOptions {
  readonly partitions?: number | undefined
  readonly maxMessageBytes?: number | undefined
}

/** Which records a page holds. */
export interface TopicPageRequest {
  readonly topic: string
  readonly partition: number
  /** First offset; one below the start of the log means its start. */
  readonly from: number
  /** Most records. */
  readonly limit: number
  /** The page ends after about so many bytes; default and most 4 MiB. One record always fits. */
  readonly maxBytes?: number | undefined
}

/** A stretch of committed records. */
export interface RecordPage {
  readonly records: readonly StreamRecord[]
  /** Where to read on. */
  readonly next: number
  /** End of the partition when the page was read. */
  readonly end: number
}

/** A position that a group has committed. */
export interface GroupPosition {
  readonly topic: string
  readonly partition: number
  readonly offset: number
}

/** What commands do with topics. Each call is one act: an append is stored whole or in several atomic writes, in order. */
export interface Topics {
  /** Throws `invalid-argument` when the topic exists or cannot be. */
  createTopic(name: string, options?: TopicOptions): Promise<TopicDescription>
  /** By name; `internal`: also those that nobody but the system or a job writes. */
  listTopics(options?: { readonly internal?: boolean }): Promise<readonly TopicDescription[]>
  /** Throws `unknown-topic`. */
  describeTopic(name: string): Promise<TopicDescription>
  /** Appends records outside of any job; resolves when they are durable, with their number. */
  append(records: readonly OutputRecord[]): Promise<number>
  /** Throws `unknown-topic`, and `invalid-argument` for a partition that is not there. */
  readPage(request: TopicPageRequest): Promise<RecordPage>
  committedOffsets(group: string): Promise<readonly GroupPosition[]>
}

/** What `tidemark topic` works on. */
export const topicsPort: Port<Topics & Resource> = new Port<Topics & Resource>('topics')
