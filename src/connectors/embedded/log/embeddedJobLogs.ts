import path from 'node:path'
import { TidemarkError } from '../../../core/errors.ts'
import type { JobLogSpec } from '../../../core/ports/jobLog.ts'
import type { HeldLog, JobLogs, OpenedJobLog } from '../../../core/ports/jobLogs.ts'
import { clearLocalState } from '../../../files/clearOwn.ts'
import type { HeldDirectory } from '../shared/heldDirectory.ts'
import { changelogDeleteRetentionMs } from '../store/changelogCompaction.ts'
import type { EmbeddedStore } from '../store/embeddedStore.ts'
import { EmbeddedJobLog } from './embeddedJobLog.ts'

/** Directory for local state below the data directory. */
const place = 'embedded'

/** The logs of jobs in one directory, which is held for one of them. */
export class EmbeddedJobLogs implements JobLogs {
  readonly #hold: () => Promise<HeldDirectory>
  #directory: HeldDirectory | null = null

  constructor(hold: () => Promise<HeldDirectory>) {
    this.#hold = hold
  }

  async connect(): Promise<void> {
    this.#directory ??= await this.#hold()
  }

  async close(): Promise<void> {
    await this.#directory?.close()
    this.#directory = null
  }

  /** Null before `connect`. */
  get store(): EmbeddedStore | null {
    return this.#directory?.store ?? null
  }

  get held(): HeldLog {
    const { path: directory, store } = this.#connected()
    return {
      path: directory,
      isEmpty: () => store.isEmpty(),
      contents: () => contentsOf(store, path.join(directory, place)),
      async clear() {
        await store.clear()
        // A cache of the changelogs, which are cleared with the log.
        return clearLocalState(path.join(directory, place))
      },
      loadSample: (sample) => store.loadSample(sample),
      serve: () => this.#connected().serve(),
    }
  }

  open(spec: JobLogSpec): Promise<OpenedJobLog> {
    return openEmbeddedLog(this.#connected().store, spec)
  }

  onFailure(failed: (error: TidemarkError) => void): () => void {
    return this.#connected().store.writer.onFailure(failed)
  }

  #connected(): HeldDirectory {
    if (this.#directory === null) throw new TidemarkError('broken-invariant', 'The data directory is not held')
    return this.#directory
  }
}

export async function openEmbeddedLog(store: EmbeddedStore, spec: JobLogSpec): Promise<OpenedJobLog> {
  return {
    log: await EmbeddedJobLog.open(store, spec),
    place,
    shared: false,
    changelogRetentionMs: changelogDeleteRetentionMs,
  }
}

/** One line each. */
async function contentsOf(store: EmbeddedStore, stateDirectory: string): Promise<readonly string[]> {
  const topics = (await store.listTopics({ internal: true })).map(({ endOffsets, ...topic }) => ({
    ...topic,
    records: endOffsets.reduce((sum, end) => sum + end, 0),
  }))
  return [
    ...topics
      .filter(({ internal }) => !internal)
      .map(({ name, records }) => `topic ${name} (${String(records)} ${records === 1 ? 'record' : 'records'})`),
    ...(await store.listTables()).map(({ keyspace, table }) => `table ${keyspace}.${table}`),
    ...topics
      .filter(({ internal, records }) => internal && records > 0)
      .map(({ name }) => `positions and state in ${name}, and their copies in ${stateDirectory}`),
  ]
}
