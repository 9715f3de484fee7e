import type { Row } from '../../../tables/row.ts'
import type { RowRequest } from '../../../tables/rowLookup.ts'
import { checkWhole } from '../../../core/mistakes.ts'
import type { Clock } from '../../../core/ports/clock.ts'
import { TidemarkError } from '../../../core/errors.ts'
import type { LogSample } from '../../../core/ports/jobLogs.ts'
import type { LookupOutcome } from '../../../core/ports/lookup.ts'
import { systemRandom, type Random } from '../../../core/ports/random.ts'
import { noTimestamp, recordBytes, type OutputRecord, type StreamRecord } from '../../../core/record.ts'
import { listCommittedOffsets, type ListedOffset } from './committedOffsets.ts'
import { EmbeddedRowLookup } from '../log/embeddedRowLookup.ts'
import { TaskFences } from '../log/taskFences.ts'
import { openLevelStorage } from './levelStorage.ts'
import { definedTable, prepareTable, TableStore, type DefinedTable } from './tableStore.ts'
import { partsOf } from './partsOf.ts'
import { readLogPage } from './readLogPage.ts'
import { RecordCollector } from './recordCollector.ts'
import { SealedStorage, type Storage } from './storage.ts'
import type { RowPage } from '../../../core/ports/tables.ts'
import type { RecordPage, TopicDescription, TopicOptions, TopicPageRequest } from '../../../core/ports/topics.ts'
import type { StoreAccess } from '../shared/storeAccess.ts'
import { beginWiping, endWiping, finishWiping, openFormat } from './storeFormat.ts'
import { StoreWriter } from './storeWriter.ts'
import { describeTopic } from './topic.ts'
import { TopicCatalog } from './topicCatalog.ts'

/** One write of an append that is done in several. */
const appendBytes = 4 * 1024 * 1024
const pageBytes = 4 * 1024 * 1024
/** Batches of a page, each of up to 1,000 records. */
const pageBatches = 256
const timestampPlace = { operator: 'append', option: 'timestamp', example: 'Date.now()' }

export interface EmbeddedStoreOptions {
  readonly clock: Clock
  /** Partitions of topics that are made on first write; default 4. */
  readonly partitions?: number
  /** What the store stands on; default: LevelDB in the directory. */
  readonly openStorage?: (directory: string) => Promise<Storage>
  /** Told once, in a sentence, of what is changed about a directory of an earlier version. */
  readonly note?: (line: string) => void
  /** Default: the machine's. */
  readonly random?: Random
}

/**
 * The embedded world: a durable, partitioned log and keyed tables in one LevelDB directory, which one process opens at a
 * time. Every write is atomic and synced to disk before it resolves, and readers see only what is written, so there are no
 * uncommitted or aborted records in it.
 *
 * Memory: LevelDB's cache (64 MiB, outside the heap), the names and ends of topics, and 4 MiB per running append.
 */
export class EmbeddedStore implements StoreAccess {
  readonly topics: TopicCatalog
  readonly tables: TableStore
  readonly writer: StoreWriter
  readonly storage: Storage
  readonly clock: Clock
  readonly fences = new TaskFences()
  readonly rows: EmbeddedRowLookup

  private constructor(clock: Clock, storage: Storage, writer: StoreWriter, topics: TopicCatalog, tables: TableStore) {
    this.clock = clock
    this.storage = storage
    this.writer = writer
    this.topics = topics
    this.tables = tables
    this.rows = new EmbeddedRowLookup(tables)
  }

  /**
   * Opens a directory, made if absent. Throws `directory-in-use` while another process has it open, `unknown-format` for
   * one of another version, `corrupt-store`, and `invalid-setting` for a place that cannot be written.
   */
  static async open(directory: string, options: EmbeddedStoreOptions): Promise<EmbeddedStore> {
    const { clock, partitions = 4, random = systemRandom, note = () => undefined } = options
    const { openStorage = (log: string) => openLevelStorage(log, { note }) } = options
    const storage = await openStorage(directory)
    try {
      const { seal } = await openFormat(storage, { directory, random, note })
      const sealed = new SealedStorage(storage, seal)
      const writer = new StoreWriter(sealed)
      const topics = await TopicCatalog.load(sealed, partitions, seal)
      return new EmbeddedStore(clock, sealed, writer, topics, await TableStore.open(sealed, writer, seal))
    } catch (error) {
      await storage.close()
      throw error
    }
  }

  /** Waits for writes that have begun. */
  async close(): Promise<void> {
    await this.writer.idle()
    await this.storage.close()
  }

  /** True while there is no topic and no table. */
  isEmpty(): boolean {
    return this.topics.list().length === 0 && this.tables.list().length === 0
  }

  /**
   * Fills an empty store; after a crash in between it is empty again. Throws `invalid-argument` when it is not empty.
   * Memory: 4 MiB of records and all encoded rows.
   */
  async loadSample({ records, tables }: LogSample): Promise<void> {
    if (!this.isEmpty())
      throw new TidemarkError('invalid-argument', 'The data directory has data already: no sample is loaded into it')
    const prepared = tables.map(prepareTable)
    await this.writer.run(() => beginWiping(this.storage, 'a sample is being loaded'))
    try {
      await this.#append(records)
      for (const table of prepared) await this.tables.load(table)
      await this.writer.run(() => endWiping(this.storage))
    } catch (error) {
      await this.clear()
      throw error
    }
  }

  /** Removes all topics, offsets and tables; a crash in between is finished at the next open. */
  async clear(): Promise<void> {
    await this.writer.run(async () => {
      await beginWiping(this.storage, 'the store is being cleared')
      await finishWiping(this.storage)
      this.topics.clear()
      this.tables.clear()
    })
  }

  async createTopic(name: string, options: TopicOptions = {}): Promise<TopicDescription> {
    await this.writer.write((write) => {
      this.topics.create(write, name, options)
    })
    return this.describeTopic(name)
  }

  async listTopics({ internal = false }: { readonly internal?: boolean } = {}): Promise<readonly TopicDescription[]> {
    return this.topics
      .list()
      .filter((topic) => internal || !topic.internal)
      .map(describeTopic)
  }

  async describeTopic(name: string): Promise<TopicDescription> {
    return describeTopic(this.topics.get(name))
  }

  async append(records: readonly OutputRecord[]): Promise<number> {
    await this.#append(records)
    return records.length
  }

  async readPage({ topic, partition, from, limit, maxBytes = pageBytes }: TopicPageRequest): Promise<RecordPage> {
    checkWhole({ operator: 'readPage', option: 'from', example: '0' }, from, 0)
    checkWhole({ operator: 'readPage', option: 'limit', example: '100' }, limit)
    checkWhole({ operator: 'readPage', option: 'maxBytes', example: '1048576' }, maxBytes)
    const log = this.topics.partition(topic, partition)
    const records: StreamRecord[] = []
    let next = from
    let bytes = 0
    const mostBytes = Math.min(maxBytes, pageBytes)
    const { end } = log
    while (next < end && records.length < limit && bytes < mostBytes) {
      const page = await readLogPage(this.storage, log, {
        from: next,
        until: end,
        maxBatches: pageBatches,
        maxBytes: mostBytes - bytes,
      })
      const room = limit - records.length
      for (const record of page.records.slice(0, room)) records.push(record)
      next = page.records.length > room ? (page.records[room]?.offset ?? page.next) : page.next
      bytes += page.bytes
    }
    return { records, next, end }
  }

  committedOffsets(group: string): Promise<readonly ListedOffset[]> {
    return listCommittedOffsets(this.storage, group)
  }

  async listTables(): Promise<readonly DefinedTable[]> {
    return this.tables.list().map(definedTable)
  }

  async loadTable(definition: unknown): Promise<number> {
    const prepared = prepareTable(definition)
    await this.tables.load(prepared)
    return prepared.rows.length
  }

  async readTable(
    keyspace: string,
    table: string,
    page: { readonly after: string | null; readonly limit: number },
  ): Promise<RowPage> {
    checkWhole({ operator: 'readTable', option: 'limit', example: '100' }, page.limit)
    return this.tables.page(this.tables.get(keyspace, table), page.after, page.limit)
  }

  getRow(request: RowRequest): Promise<LookupOutcome<Row>> {
    return this.rows.lookup(request)
  }

  async #append(records: Iterable<OutputRecord>): Promise<void> {
    for (const part of partsOf(records, appendBytes, recordBytes)) {
      await this.writer.write((write) => {
        const collector = new RecordCollector(this.topics, { allowInternal: false })
        for (const record of part) {
          // What jobs send is checked where they make it: see `outputRecord`.
          checkWhole(timestampPlace, record.timestamp, noTimestamp)
          collector.add(record)
        }
        collector.addTo(write)
      })
    }
  }
}
