import type { OffsetRange } from '../../core/ports/changelog.ts'
import type { EpochTransaction } from '../../core/ports/commitLog.ts'
import type { LoggedChunk, TaskWriteAheadLog } from '../../core/ports/writeAheadLog.ts'
import type { MemoryPartition } from './memoryTopic.ts'
import type { TestProcess } from './testProcess.ts'

const chunksPerRead = 4

/** The write-ahead log of one task in memory, as one process sees it. */
export class MemoryWriteAheadLog implements TaskWriteAheadLog {
  readonly maxChunkBytes = 1024 * 1024
  readonly #partition: () => MemoryPartition
  readonly #process: TestProcess

  constructor(partition: () => MemoryPartition, process: TestProcess) {
    this.#partition = partition
    this.#process = process
  }

  append(transaction: Pick<EpochTransaction, 'send'>, { sink, bytes }: LoggedChunk): void {
    const { topic, partition } = this.#partition()
    transaction.send(
      { topic, partition, key: Buffer.from(sink), value: bytes, headers: [], timestamp: this.#process.clock.now() },
      'exactly-once',
    )
  }

  range(): Promise<OffsetRange> {
    return this.#process.call('log.writeAheadRange', () => this.#partition().range)
  }

  writtenEnd(): Promise<number> {
    return this.#process.call('log.writeAheadRange', () => this.#partition().highWatermark)
  }

  async *read(from: number, to: number): AsyncGenerator<readonly (LoggedChunk & { readonly offset: number })[], void> {
    for (let next = from; ;) {
      const batch = await this.#process.call('log.readAhead', () => {
        const log = this.#partition()
        const first = log.indexOf(next)
        return log.records.slice(first, first + chunksPerRead).filter(({ offset }) => offset < to)
      })
      const last = batch.at(-1)
      if (last === undefined) return
      next = last.offset + 1
      yield batch.map(({ key, raw, offset }) => ({
        sink: key?.toString() ?? '',
        bytes: raw ?? Buffer.alloc(0),
        offset,
      }))
    }
  }

  trim(before: number): Promise<void> {
    return this.#process.call('log.trimAhead', () => {
      this.#partition().removeBefore(before)
    })
  }
}
