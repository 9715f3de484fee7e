import { batchKey } from './storeKeys.ts'
import type { PartitionLog } from './partitionLog.ts'
import { placeBatch, type SealedBatch } from './recordBatch.ts'
import type { Storage, StorageOperation } from './storage.ts'

/** One atomic write in the making. Offsets are given here, where nothing else can be written in between. */
export class StoreWrite {
  readonly operations: StorageOperation[] = []
  readonly #ends = new Map<PartitionLog, number>()
  readonly #afterwards: (() => void)[] = []

  put(key: Buffer, value: Buffer): void {
    this.operations.push({ type: 'put', key, value })
  }

  del(key: Buffer): void {
    this.operations.push({ type: 'del', key })
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
      if (write.operations.length > 0) await this.#storage.write(write.operations, { sync: true })
      write.publish()
    })
  }

  /** Runs something alone, between two writes. */
  run<T>(action: () => Promise<T>): Promise<T> {
    const result = this.#tail.then(action)
    this.#tail = result.then(
      () => undefined,
      () => undefined,
    )
    return result
  }

  /** Resolves when everything asked for so far is done. */
  idle(): Promise<void> {
    return this.#tail
  }
}
