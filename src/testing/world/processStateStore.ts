import type { StateStore, StorePosition } from '../../state/stateStore.ts'
import type { TestProcess } from './testProcess.ts'

/** A process's hold on a state store: what the process does after its death does not reach the store. */
export function processStateStore(store: StateStore, process: TestProcess): StateStore {
  return {
    get position(): StorePosition | null {
      return store.position
    },
    open: () => process.call('state.open', () => store.open()),
    get: (key) => store.get(key),
    firstKey: (from) => store.firstKey(from),
    apply: (delta, position) => process.call('state.apply', () => store.apply(delta, position)),
    load: (part) => process.call('state.load', () => store.load(part)),
    wipe: () => process.call('state.wipe', () => store.wipe()),
    close: () => process.call('state.close', () => store.close()),
  }
}
