/**
 * A process of its own that reads topics read_committed from their start, for ever, and keeps what it has seen by the message
 * it comes from: each may come once. It reads while the faults happen, so it sees what any consumer would have seen.
 */
import { Fetcher } from '../../../src/connectors/kafka/read/fetcher.ts'
import type { StreamRecord } from '../../../src/core/record.ts'
import { silentLogger } from '../../../src/core/ports/logger.ts'
import { KafkaWorld } from '../../connectors/kafka/kafkaWorld.ts'
import { messageOf, type ReaderReport, type ReaderRequest, type SeenOutput } from './liveReader.ts'

const [bootstrap = '', partitions = '', ...topics] = process.argv.slice(2)
const world = new KafkaWorld(bootstrap)
await world.cluster.metadata(topics)
const fetcher = new Fetcher(world.cluster, silentLogger, { maxWaitMs: 50 })

const outputs = new Map<string, SeenOutput>()
const doubled: string[] = []
const failures: string[] = []

function take(topic: string, partition: number, records: readonly StreamRecord[]): void {
  for (const { key, raw, offset, timestamp, headers } of records) {
    const output = {
      topic,
      partition,
      offset,
      timestamp,
      key: key?.toString() ?? '',
      value: raw?.toString() ?? '',
      headers: headers.map(([name, value]) => `${name}:${value?.toString() ?? ''}`).join(','),
    }
    const message = messageOf(output)
    const first = outputs.get(message)
    if (first === undefined) outputs.set(message, output)
    else {
      const where = [first, output].map((seen) => `${seen.topic}/${String(seen.partition)}@${String(seen.offset)}`)
      doubled.push(`${message}: ${where.join(' and ')}`)
    }
  }
}

for (const topic of topics) {
  for (let partition = 0; partition < Number(partitions); partition += 1) {
    const target = {
      topic,
      partition,
      offset: 0,
      wanted: true,
      room: 8 * 1024 * 1024,
      accept(records: readonly StreamRecord[], next: number) {
        take(topic, partition, records)
        target.offset = next
      },
      fail(error: Error) {
        failures.push(error.message)
      },
    }
    fetcher.add(target)
  }
}

process.on('message', (message) => {
  // Only the process that started this one sends, and this is what it sends.
  const { want } = message as ReaderRequest
  const report: ReaderReport = {
    seen: outputs.size,
    doubled: doubled.slice(0, 20),
    failures,
    outputs: want === 'outputs' ? [...outputs.values()] : [],
  }
  process.send?.(report)
})
process.on('disconnect', () => {
  process.exit(0)
})
