/**
 * A process of its own that reads topics read_committed from their start, for ever, and keeps what it has seen by the message
 * it comes from: each may come once. It reads while the faults happen, so it sees what any consumer would have seen.
 */
import { Fetcher } from '../../../src/connectors/kafka/read/fetcher.ts'
import type { StreamRecord } from '../../../src/core/record.ts'
import { silentLogger } from '../../../src/core/ports/logger.ts'
import { KafkaWorld } from '../../connectors/kafka/kafkaWorld.ts'
import type { ReaderReport, ReaderRequest } from './liveReader.ts'
import { messageOf, placeOf, seenOutput, type SeenOutput } from './outputs.ts'

const [bootstrap = '', partitions = '', ...topics] = process.argv.slice(2)
const world = new KafkaWorld(bootstrap)
await world.cluster.metadata(topics)
const fetcher = new Fetcher(world.cluster, silentLogger, { maxWaitMs: 50 })

const outputs = new Map<string, SeenOutput>()
const doubled: string[] = []
const failures: string[] = []

function take(records: readonly StreamRecord[]): void {
  for (const output of records.map(seenOutput)) {
    const message = messageOf(output)
    const first = outputs.get(message)
    if (first === undefined) outputs.set(message, output)
    else doubled.push(`${message}: ${[first, output].map(placeOf).join(' and ')}`)
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
        take(records)
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
