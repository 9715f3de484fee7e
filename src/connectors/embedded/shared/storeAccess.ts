import type { Row } from '../../../tables/row.ts'
import type { RowRequest } from '../../../tables/rowLookup.ts'
import type { LookupOutcome } from '../../../core/ports/lookup.ts'
import type { Tables } from '../../../core/ports/tables.ts'
import type { RecordPage, TopicPageRequest, Topics } from '../../../core/ports/topics.ts'
import type { OutputRecord } from '../../../core/record.ts'
import type { ListedOffset } from '../store/committedOffsets.ts'
import type { DefinedTable } from '../store/tableStore.ts'

/**
 * What a command does with the embedded store: the same calls whether this process holds the directory or another one
 * does and is asked over its control socket. Each call is one act: an append or a load of more than 4 MiB is stored in
 * several atomic writes, in order.
 */
export interface StoreAccess extends Topics, Tables {
  /** Makes the topics where needed. */
  append(records: readonly OutputRecord[]): Promise<number>
  /** Throws `invalid-argument` for numbers that no page can have: with a limit of 0 a reader would go round for ever. */
  readPage(request: TopicPageRequest): Promise<RecordPage>
  committedOffsets(group: string): Promise<readonly ListedOffset[]>
  listTables(): Promise<readonly DefinedTable[]>
  getRow(request: RowRequest): Promise<LookupOutcome<Row>>
}
