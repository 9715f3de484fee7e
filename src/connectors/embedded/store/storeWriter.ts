import { TidemarkError, type ErrorCode } from '../../../core/errors.ts'
import { batchKey } from './storeKeys.ts'
import type { PartitionLog } from './topic.ts'
import { placeBatch, type SealedBatch } from './recordBatch.ts'
import type { Storage, StorageOperation } from './storage.ts'

/** After these a storage takes none, though there may be room again: what the failed one has left is settled at the next open. */
const endsAllWrites: ReadonlySet<ErrorCode> = new Set(['disk-failed', 'corrupt-store', 'too-many-files'])

/** One atomic write in the making. Offsets are given here, where nothing else can be written in between. */
export class StoreWrite {
  readonly operations: StorageOperation[] = []
  readonly #ends = new Map<PartitionLog, number>()
  readonly #afterwards: (() => void)[] = []

  put(key: Buffer, value: Buffer): void {
    this.operations.push({ type: 'put', key, value })
  }

  append(log: PartitionLog, batches: readonly SealedBatch[]): void {
    let end = this.#ends.get(log) ?? log.end
    for (const { value, span } of batches) {
      end += span
      const key = batchKey(log.topicId, log.partition, end - 1)
      this.put(key, placeBatch(value, log.seal.ofKey(key)))
    }
    this.#ends.set(log, end)
  }

  /** Called when the write is durable. */
  afterwards(action: () => void): void {
    this.#afterwards.push(action)
  }

  /** Makes the write visible to this process. */
  publish(): void {
    for (const action of this.#afterwards) action()
    for (const [log, end] of this.#ends) log.advance(end)
  }
}

/**
 * The only way into the store: one write after the other, whoever it comes from. Ends of partitions, topics and tables in
 * memory change only after a write is durable; after one that failed they are as before.
 */
export class StoreWriter {
  readonly #storage: Storage
  #tail: Promise<void> = Promise.resolve()
  #failure: TidemarkError | null = null
  readonly #listeners = new Set<(error: TidemarkError) => void>()

  constructor(storage: Storage) {
    this.#storage = storage
  }

  /**
   * Builds and stores one write when its turn has come. `build` is synchronous and sees the store as all writes before
   * have left it; what it throws rejects, and nothing is written.
   */
  write(build: (write: StoreWrite) => void): Promise<void> {
    return this.run(async () => {
      const write = new StoreWrite()
      build(write)
      if (write.operations.length > 0) await this.#storage.write(write.operations)
      write.publish()
    })
  }

  /** Runs something alone, between two writes. */
  run<T>(action: () => Promise<T>): Promise<T> {
    const result = this.#tail.then(action)
    this.#tail = result.then(
      () => undefined,
      (error: unknown) => {
        this.#judge(error)
      },
    )
    return result
  }

  /**
   * Calls back once when the storage takes no more writes, whose write ever has met that; at once where it has been. The call
   * that is returned ends it.
   */
  onFailure(failed: (error: TidemarkError) => void): () => void {
    if (this.#failure !== null) failed(this.#failure)
    else this.#listeners.add(failed)
    return () => {
      this.#listeners.delete(failed)
    }
  }

  #judge(error: unknown): void {
    if (this.#failure !== null || !(error instanceof TidemarkError) || !endsAllWrites.has(error.code)) return
    this.#failure = error
    for (const failed of this.#listeners) failed(error)
    this.#listeners.clear()
  }

  /** Resolves when everything asked for so far is done. */
  idle(): Promise<void> {
    return this.#tail
  }
}
