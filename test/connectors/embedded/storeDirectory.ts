import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { EmbeddedStore } from '../../../src/connectors/embedded/store/embeddedStore.ts'
import { withStore } from '../../../src/connectors/embedded/shared/withStore.ts'
import { systemClock } from '../../../src/core/ports/clock.ts'
import { temporaryDirectory } from './temporaryDirectory.ts'

/** A data directory of one test that looks into the files of its store. */
export interface StoreDirectory {
  readonly path: string
  readonly data: string
  /** Where LevelDB has its files. */
  readonly log: string
  readonly witness: string
  /** Opens the store for an act: topics have two partitions. */
  readonly inStore: <T>(act: (store: EmbeddedStore) => Promise<T>) => Promise<T>
  /** The last of LevelDB's files whose name ends so. */
  readonly fileOf: (ending: RegExp) => string
  remove(): Promise<void>
}

export async function storeDirectory(): Promise<StoreDirectory> {
  const directory = await temporaryDirectory()
  const { path } = directory
  const data = join(path, 'data')
  const log = join(data, 'log')
  return {
    path,
    data,
    log,
    witness: join(data, 'log.witness'),
    inStore: (act) => withStore(data, { clock: systemClock, partitions: 2 }, (store) => act(store as EmbeddedStore)),
    fileOf: (ending) => join(log, readdirSync(log).findLast((name) => ending.test(name)) ?? ''),
    remove: () => directory.remove(),
  }
}
