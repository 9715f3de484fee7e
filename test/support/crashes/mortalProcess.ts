import type { Clock } from '../../../src/core/ports/clock.ts'
import type {
  KeyRange,
  ScanRequest,
  Storage,
  StorageEntry,
  StorageOperation,
  WriteOptions,
} from '../../../src/connectors/embedded/store/storage.ts'
import { TestProcess, type CrashPoint } from '../../../src/testing/world/testProcess.ts'

/** How a process dies: at which of its calls, on which side of its effect, and whether the machine's power goes as well. */
export interface Crash {
  readonly call: number
  readonly point: CrashPoint
  /** What is not synced is gone then. */
  readonly losesPower: boolean
}

/** A process that dies at a given call to a port. All calls count, the synchronous reads of rows and state as well. */
export class MortalProcess {
  readonly process: TestProcess
  /** Calls so far. */
  calls = 0
  readonly #crash: Crash | null

  constructor(clock: Clock, crash: Crash | null) {
    this.#crash = crash
    this.process = new TestProcess({ clock, crashAt: () => this.#next() })
  }

  /** A synchronous read. It cannot be left unanswered: a process that dies in it does nothing more at its next call. */
  read(name: string): void {
    if (this.process.alive && this.#next() !== null) this.process.kill(`at ${name}, call ${String(this.calls - 1)}`)
  }

  #next(): CrashPoint | null {
    const call = this.calls
    this.calls += 1
    return call === this.#crash?.call ? this.#crash.point : null
  }
}

/** A process's hold on the storage of the embedded world: nothing that it does after its death reaches the disk. */
export class MortalStorage implements Storage {
  readonly #storage: Storage
  readonly #mortal: MortalProcess

  constructor(storage: Storage, mortal: MortalProcess) {
    this.#storage = storage
    this.#mortal = mortal
  }

  get(key: Buffer): Buffer | undefined {
    this.#mortal.read('storage.get')
    return this.#storage.get(key)
  }

  getText(key: Buffer): string | undefined {
    this.#mortal.read('storage.getText')
    return this.#storage.getText(key)
  }

  scan(request: ScanRequest): Promise<readonly StorageEntry[]> {
    return this.#mortal.process.call('storage.scan', () => this.#storage.scan(request))
  }

  write(operations: readonly StorageOperation[], options: WriteOptions): Promise<void> {
    return this.#mortal.process.call('storage.write', () => this.#storage.write(operations, options))
  }

  clear(range: KeyRange): Promise<void> {
    return this.#mortal.process.call('storage.clear', () => this.#storage.clear(range))
  }

  close(): Promise<void> {
    return this.#mortal.process.call('storage.close', () => this.#storage.close())
  }
}
