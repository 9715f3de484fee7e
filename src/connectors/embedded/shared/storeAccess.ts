import * as t from 'io-ts'
import type { Row } from '../../../tables/row.ts'
import type { RowRequest } from '../../../tables/rowLookup.ts'
import type { LookupOutcome } from '../../../core/ports/lookup.ts'
import type { OutputRecord, StreamRecord } from '../../../core/record.ts'
import type { GroupOffset } from '../store/committedOffsets.ts'
import { safeInteger } from './wireCodecs.ts'
import type { RowPage, TableDescription } from '../store/tableStore.ts'
import type { TopicDescription, TopicOptions } from '../store/topic.ts'

/** Which records a page holds. */
export const readRequest = t.readonly(
  t.intersection([
    t.strict({
      topic: t.string,
      partition: safeInteger(0),
      /** First offset. */
      from: safeInteger(0),
      /** Most records. */
      limit: safeInteger(1),
    }),
    t.exact(
      t.partial({
        /** The page ends after about so many stored bytes; default and most 4 MiB. One record always fits. */
        maxBytes: safeInteger(1),
      }),
    ),
  ]),
)
export type ReadRequest = t.TypeOf<typeof readRequest>

/** A stretch of committed records. */
export interface RecordPage {
  readonly records: readonly StreamRecord[]
  /** Where to read on. */
  readonly next: number
  /** End of the partition when the page was read. */
  readonly end: number
}

/**
 * What a command does with the embedded store: the same calls whether this process holds the directory or another one
 * does and is asked over its control socket. Each call is one act: an append or a load of more than 4 MiB is stored in
 * several atomic writes, in order.
 */
export interface StoreAccess {
  /** Throws `invalid-argument` when the topic exists or cannot be. */
  createTopic(name: string, options?: TopicOptions): Promise<TopicDescription>
  listTopics(options?: { readonly internal?: boolean }): Promise<readonly TopicDescription[]>
  /** Throws `unknown-topic`. */
  describeTopic(name: string): Promise<TopicDescription>
  /** Appends records, making their topics where needed; resolves when they are durable, with their number. */
  append(records: readonly OutputRecord[]): Promise<number>
  /** Throws `invalid-argument` for numbers that no page can have: with a limit of 0 a reader would go round for ever. */
  readPage(request: ReadRequest): Promise<RecordPage>
  committedOffsets(group: string): Promise<readonly GroupOffset[]>
  listTables(): Promise<readonly TableDescription[]>
  /** Checks a parsed definition as a whole (see `prepareTable`), then stores its rows over those of the same key. */
  loadTable(definition: unknown): Promise<number>
  /** Throws `unknown-table`. */
  readTable(
    keyspace: string,
    table: string,
    page: { readonly after: string | null; readonly limit: number },
  ): Promise<RowPage>
  getRow(request: RowRequest): Promise<LookupOutcome<Row>>
}
