import { randomBytes } from 'node:crypto'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { KafkaWorld, uniqueName } from '../../connectors/kafka/kafkaWorld.ts'
import { describeWithServers } from '../../support/realServers.ts'
import { batchOf, weigh, weighTopics } from './weighJob.ts'

const mebibyte = 1024 * 1024
const limitMiB = 400
const hour = 3_600_000

describeWithServers('a job whose input unpacks to 150 GB', ['kafka'], (servers) => {
  let world: KafkaWorld
  let name: string

  beforeEach(async () => {
    world = new KafkaWorld(servers.kafka())
    name = uniqueName('weigh')
    await weighTopics(world, name)
  })
  afterEach(async () => {
    for (const topic of ['in', 'out', 'dlq']) await world.deleteTopic(`${name}-${topic}`)
    await world.close()
  })

  const weighed = async (outputs: number): Promise<void> => {
    const { code, err, mostMiB } = await weigh(servers.kafka(), name)
    expect({ code, err }).toMatchObject({ code: 0 })
    expect(await world.readAll(`${name}-out`, 0)).toHaveLength(outputs)
    if (process.platform === 'linux') expect(mostMiB).toBeLessThan(limitMiB)
  }

  it.each(['gzip', 'zstd'] as const)(
    '1,000 batches of 150 MiB, %s: below 400 MiB, and each of 150,000 records is read',
    async (compression) => {
      const batch = await batchOf(150, Buffer.alloc(mebibyte), compression)
      for (let n = 0; n < 1_000; n += 1) await world.appendBatch(`${name}-in`, 0, batch)
      await weighed(150_000)
    },
    2 * hour,
  )

  it(
    '300 messages of 10 MB that nothing makes smaller',
    async () => {
      for (let n = 0; n < 300; n += 1) {
        await world.appendBatch(`${name}-in`, 0, await batchOf(1, randomBytes(10_000_000), 'none'))
      }
      await weighed(300)
    },
    hour / 2,
  )
})
