import type { ScanRequest, Storage, StorageOperation } from '../../../src/connectors/embedded/store/storage.ts'
import { batchKey, topicKey } from '../../../src/connectors/embedded/store/storeKeys.ts'
import type { ChangelogEntry } from '../../../src/core/ports/changelog.ts'
import type { TaskLog } from '../../../src/core/ports/taskLog.ts'
import { commitKey } from '../../../src/state/changelogKey.ts'
import type { StateStore } from '../../../src/state/stateStore.ts'
import type { PlantedFault } from './crashWorld.ts'

/** Whether an operation writes records of a topic. */
function isOf(topic: string, { key }: StorageOperation, storage: Storage): boolean {
  const settings = storage.get(topicKey(topic))?.toString()
  const id = Number(/"id":(\d+)/.exec(settings ?? '')?.[1] ?? -1)
  return id >= 0 && key.subarray(0, 5).equals(batchKey(id, 0, 0).subarray(0, 5))
}

/** A commit is two writes: the records of one topic, and everything else. */
export function topicApart(topic: string, place: 'before' | 'after'): PlantedFault {
  return {
    storage: (storage) =>
      splitWrites(storage, (operation) =>
        isOf(topic, operation, storage) === (place === 'before') ? 'first' : 'second',
      ),
  }
}

/** The local store says that it holds a commit before it does. */
export const positionBeforeState: PlantedFault = {
  stateStore: (store) =>
    changed(store, {
      async apply(delta, position) {
        await store.apply([], position)
        await store.load(delta)
      },
    }),
}

/** The state of an epoch is in the local store although the epoch may never be committed. */
export const stateBeforeCommit: PlantedFault = {
  environment: (environment, stores) => ({
    ...environment,
    async openLog(spec) {
      const log = await environment.openLog(spec)
      const join = log.join.bind(log)
      log.join = (listener) =>
        join({
          ...listener,
          assigned: (task) => {
            applyEarly(task, stores)
            listener.assigned(task)
          },
        })
      return log
    },
  }),
}

function applyEarly(task: TaskLog, stores: ReadonlyMap<number, StateStore>): void {
  const begin = task.commitLog.begin.bind(task.commitLog)
  task.commitLog.begin = () => {
    const transaction = begin()
    const prepare = transaction.prepare.bind(transaction)
    transaction.prepare = async (changelog: readonly ChangelogEntry[]) => {
      await stores.get(task.partition)?.load(changelog.filter(({ key }) => !key.equals(commitKey)))
      return prepare(changelog)
    }
    return transaction
  }
}

/** Does each write that has both parts as two. */
function splitWrites(storage: Storage, part: (operation: StorageOperation) => 'first' | 'second'): Storage {
  return {
    get: (key) => storage.get(key),
    getText: (key) => storage.getText(key),
    scan: (request: ScanRequest) => storage.scan(request),
    clear: (range) => storage.clear(range),
    close: () => storage.close(),
    async write(operations) {
      const isFirst = operations.map((operation) => part(operation) === 'first')
      for (const first of [true, false]) {
        const some = operations.filter((_, index) => isFirst[index] === first)
        if (some.length > 0) await storage.write(some)
      }
    },
  }
}

function changed(store: StateStore, changes: Pick<StateStore, 'apply'>): StateStore {
  return {
    open: () => store.open(),
    get position() {
      return store.position
    },
    get: (key) => store.get(key),
    firstKey: (from) => store.firstKey(from),
    load: (part) => store.load(part),
    wipe: () => store.wipe(),
    close: () => store.close(),
    ...changes,
  }
}
