import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest'
import { fromKafka } from '../../../operators/fromKafka.ts'
import { toKafkaTransactional } from '../../../operators/toKafka.ts'
import { runKafkaTool } from '../../servers/kafkaTool.ts'
import { describeWithServers } from '../../support/realServers.ts'
import { startKafkaJob, until } from './kafkaJob.ts'
import { KafkaWorld, testConfig, uniqueName } from './kafkaWorld.ts'

const count = 3_000
/** Long and repetitive, so that batches have matches near and far, and many blocks. */
const lines = Array.from({ length: 200 }, (_, n) =>
  JSON.stringify({ n, text: `line ${String(n)} `.repeat(n), more: 'x'.repeat((n * 37) % 500) }),
)

// What Kafka's own Java producers write, read by our decoders: they share nothing.
describeWithServers('inputs as Kafka’s own producers compress them', ['kafka', 'java'], (servers) => {
  let world: KafkaWorld
  let directory: string

  beforeAll(() => {
    directory = mkdtempSync(path.join(tmpdir(), 'tidemark-payload-'))
    writeFileSync(path.join(directory, 'lines'), lines.join('\n'))
  })
  afterAll(() => {
    rmSync(directory, { recursive: true })
  })
  beforeEach(() => {
    world = new KafkaWorld(servers.kafka())
  })
  afterEach(() => world.close())

  it.each(['lz4', 'snappy', 'gzip', 'zstd'])(
    '%s: a job reads each record once, byte for byte',
    async (compression) => {
      const [input, output] = [uniqueName(`input-${compression}`), uniqueName('output')]
      await world.createTopic(input, 1, { 'compression.type': 'producer' })
      await world.createTopic(output, 1)
      await runKafkaTool('org.apache.kafka.tools.ProducerPerformance', [
        '--topic',
        input,
        '--num-records',
        String(count),
        '--payload-file',
        path.join(directory, 'lines'),
        '--throughput',
        '-1',
        '--producer-props',
        `bootstrap.servers=${servers.kafka()}`,
        `compression.type=${compression}`,
        'batch.size=200000',
        'linger.ms=20',
      ])
      await world.append([
        { topic: input, partition: 0, key: null, value: Buffer.from('the last'), headers: [], timestamp: Date.now() },
      ])
      await startKafkaJob(
        (context) =>
          fromKafka(context, { topic: input, groupId: `${input}-group` }).pipe(
            toKafkaTransactional(context, { topic: output }),
          ),
        { name: uniqueName('job'), config: testConfig(servers.kafka()) },
      ).finished
      await until('the commit is visible', async () => (await world.readValues(output, 1)).length > count)
      const read = await world.readValues(output, 1)
      expect(read).toHaveLength(count + 1)
      expect(read.at(-1)).toBe('the last')
      const known = new Set(lines)
      expect(read.slice(0, count).filter((value) => !known.has(value))).toEqual([])
      // By chance each line was drawn.
      expect(new Set(read).size).toBeGreaterThan(150)
    },
    120_000,
  )
})
