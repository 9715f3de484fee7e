import { record, runJob, testTopic } from 'tidemark/testing'
import { afterAll, beforeAll, expect, it } from 'vitest'
import job from '../../../jobs/reconcile.ts'
import { systemClock } from '../../../src/core/ports/clock.ts'
import { systemRandom } from '../../../src/core/ports/random.ts'
import type { StreamRecord } from '../../../src/core/record.ts'
import { openKafkaJobLog } from '../../../src/connectors/kafka/log/kafkaJobLog.ts'
import { startJob } from '../../../src/runtime/job/startJob.ts'
import { silentLogger } from '../../../src/core/ports/logger.ts'
import { runOptions } from '../../../src/runtime/job/runOptions.ts'
import { runnableJob } from '../../../src/runtime/plan/runnableJob.ts'
import { MemoryStateStore } from '../../../src/state/memoryStateStore.ts'
import { MemoryTables } from '../../../src/testing/world/memoryTables.ts'
import { testEnvironment, testSettings } from '../../../src/testing/kit/testEnvironment.ts'
import { TestProcess } from '../../../src/testing/world/testProcess.ts'
import { until } from '../../connectors/kafka/kafkaJob.ts'
import { KafkaWorld, testConfig, uniqueName } from '../../connectors/kafka/kafkaWorld.ts'
import { accountsTable, hostileMessages, usersTable } from '../../support/hostileMessages.ts'
import { describeWithServers } from '../../support/realServers.ts'

const tables = [usersTable, accountsTable]
const timestamp = Date.UTC(2026, 0, 2)
/** What a batch takes besides the parts of one record: so both worlds take records of 1 MiB. */
const mostBytes = 1024 * 1024
const batchOverhead = 97

describeWithServers('hostile messages on a real Kafka', ['kafka'], (servers) => {
  let world: KafkaWorld

  beforeAll(() => {
    world = new KafkaWorld(servers.kafka())
  })
  afterAll(() => world.close())

  it.each(['ordered', 'unordered'])(
    'lead to the same outputs and dead letters as in memory, byte for byte: %s',
    async (wait) => {
      const [input, output, dlq] = [uniqueName('input'), uniqueName('output'), uniqueName('dlq')]
      const limit = { 'max.message.bytes': String(mostBytes + batchOverhead) }
      await world.createTopic(input, 1, { 'max.message.bytes': '20000000' })
      await world.createTopic(output, 1, limit)
      await world.createTopic(dlq, 1, limit)
      for (const { key = null, value } of hostileMessages) {
        await world.append([{ topic: input, partition: 0, key, value, headers: [], timestamp }])
      }
      const given = {
        'reconcile.wait': wait,
        'reconcile.input.topic': input,
        'reconcile.output.topic': output,
        'reconcile.dlq.topic': dlq,
        'reconcile.group': `${input}-group`,
        'job.name': uniqueName('job'),
      }
      const settings = testSettings(job, given, false)
      const environment = testEnvironment({
        process: new TestProcess({ clock: systemClock }),
        random: systemRandom,
        log: silentLogger,
        tables: new MemoryTables(tables),
        openLog: (spec) =>
          openKafkaJobLog(testConfig(servers.kafka()), spec, { clock: systemClock, log: silentLogger }),
        openStore: () => new MemoryStateStore(),
      })
      const result = await startJob(runnableJob(job, settings), environment, {
        ...runOptions(settings, systemClock),
        follow: false,
        reset: null,
      }).finished
      expect(result.records).toBe(hostileMessages.length)
      const inMemory = await runJob(job, {
        topics: [
          testTopic(
            input,
            hostileMessages.map(({ key, value }) => record(value, { key: key ?? null, timestamp })),
            { maxRecordBytes: 20_000_000 },
          ),
        ],
        tables,
        settings: given,
      })
      await until('the commits are visible', async () => {
        const [outputs, dead] = [await world.readAll(output, 0), await world.readAll(dlq, 0)]
        return outputs.length + dead.length >= hostileMessages.length
      })
      for (const topic of [output, dlq]) {
        const real = (await world.readAll(topic, 0)).map(contentOf)
        expect(real.toSorted()).toEqual(inMemory.topic(topic).records.map(contentOf).toSorted())
      }
    },
    120_000,
  )
})

/** All but the epoch, which timing decides. */
function contentOf({ key, raw, headers, timestamp: time }: StreamRecord): string {
  const kept = headers.filter(([name]) => name !== 'epoch').map(([name, value]) => [name, value?.toString() ?? null])
  return JSON.stringify([key?.toString('base64') ?? null, raw?.toString('base64') ?? null, kept, time])
}
