import type { TaskWriteAheadLog } from '../../core/ports/writeAheadLog.ts'
import { partitionPages, type MemoryPartition } from './memoryTopic.ts'
import type { TestProcess } from './testProcess.ts'

const chunksPerRead = 4

/** The write-ahead log of one task in memory, as one process sees it. */
export function memoryWriteAheadLog(partition: () => MemoryPartition, process: TestProcess): TaskWriteAheadLog {
  return {
    maxChunkBytes: 1024 * 1024,
    append(transaction, { sink, bytes }) {
      const { topic, partition: number } = partition()
      transaction.send(
        {
          topic,
          partition: number,
          key: Buffer.from(sink),
          value: bytes,
          headers: [],
          timestamp: process.clock.now(),
        },
        'exactly-once',
      )
    },
    range: () => process.call('log.writeAheadRange', () => partition().range),
    writtenEnd: () => process.call('log.writeAheadRange', () => partition().highWatermark),
    async *read(from, to) {
      for await (const page of partitionPages(process, 'log.readAhead', partition, {
        from,
        to,
        atOnce: chunksPerRead,
      })) {
        yield page.map(({ key, raw, offset }) => ({
          sink: key?.toString() ?? '',
          bytes: raw ?? Buffer.alloc(0),
          offset,
        }))
      }
    },
    trim: (before) =>
      process.call('log.trimAhead', () => {
        partition().removeBefore(before)
      }),
  }
}
