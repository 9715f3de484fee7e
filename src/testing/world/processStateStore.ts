import type { ChangelogEntry } from '../../core/ports/changelog.ts'
import type { StateStore, StorePosition } from '../../state/stateStore.ts'
import type { TestProcess } from './testProcess.ts'

/** A process's hold on a state store: what the process does after its death does not reach the store. */
export class ProcessStateStore implements StateStore {
  readonly #store: StateStore
  readonly #process: TestProcess

  constructor(store: StateStore, process: TestProcess) {
    this.#store = store
    this.#process = process
  }

  get position(): StorePosition | null {
    return this.#store.position
  }

  open(): Promise<void> {
    return this.#process.call('state.open', () => this.#store.open())
  }

  get(key: Buffer): Buffer | undefined {
    return this.#store.get(key)
  }

  firstKey(from: Buffer): Promise<Buffer | undefined> {
    return this.#store.firstKey(from)
  }

  apply(delta: readonly ChangelogEntry[], position: StorePosition): Promise<void> {
    return this.#process.call('state.apply', () => this.#store.apply(delta, position))
  }

  load(part: readonly ChangelogEntry[]): Promise<void> {
    return this.#process.call('state.load', () => this.#store.load(part))
  }

  wipe(): Promise<void> {
    return this.#process.call('state.wipe', () => this.#store.wipe())
  }

  close(): Promise<void> {
    return this.#process.call('state.close', () => this.#store.close())
  }
}
