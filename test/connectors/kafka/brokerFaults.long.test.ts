import { afterAll, beforeAll, expect, it } from 'vitest'
import { fromKafka } from '../../../operators/fromKafka.ts'
import { toKafkaTransactional } from '../../../operators/toKafka.ts'
import { startKafka, type RunningKafka } from '../../servers/kafkaServer.ts'
import { describeWithServers } from '../../support/realServers.ts'
import { TestLog, startKafkaJob, until } from './kafkaJob.ts'
import { KafkaWorld, testConfig, uniqueName } from './kafkaWorld.ts'

const partitions = 2

describeWithServers('a broker that fails under a running job', ['java'], () => {
  let kafka: RunningKafka
  let world: KafkaWorld

  beforeAll(async () => {
    kafka = await startKafka()
    world = new KafkaWorld(kafka.address)
  }, 300_000)
  afterAll(async () => {
    await world.close()
    await kafka.kill9()
  })

  it('killed and started again, then frozen for 5 s: the job goes on by itself, and nothing is lost or doubled', async () => {
    const name = uniqueName('job')
    const input = await world.createTopic(uniqueName('input'), partitions)
    const results = await world.createTopic(uniqueName('results'), partitions)
    const logger = new TestLog()
    const job = startKafkaJob(
      (context) => [
        fromKafka(context, { topic: input, groupId: `${name}-group` }).pipe(
          toKafkaTransactional(context, { topic: results }),
        ),
      ],
      { name, config: testConfig(kafka.address), follow: true, logger },
    )
    let written = 0
    const write = async (count: number): Promise<void> => {
      const values = Array.from({ length: count }, (_, n) => `v${String(written + n)}`)
      await world.appendTexts(input, written % partitions, values)
      written += count
    }
    const copied = async (): Promise<boolean> => (await world.readValues(results, partitions)).length >= written
    await write(500)
    await until('the job runs', copied)

    await write(501)
    await kafka.kill9()
    await new Promise((resolve) => setTimeout(resolve, 500))
    await kafka.restart()
    await write(500)
    await until('it goes on after the restart', copied, 60_000)

    await write(501)
    kafka.freeze()
    await new Promise((resolve) => setTimeout(resolve, 5_000))
    kafka.thaw()
    await write(500)
    await until('it goes on after the freeze', copied, 60_000)

    job.stop()
    // No restart was allowed to it: an outage of the log is none of its failures.
    await expect(job.finished).resolves.toMatchObject({ outcome: 'stopped' })
    const seen = await world.readValues(results, partitions)
    expect([seen.length, new Set(seen).size]).toEqual([written, written])
  }, 240_000)
})
