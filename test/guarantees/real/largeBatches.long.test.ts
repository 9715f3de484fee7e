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

  /** What the job made of its input, and whether it had room for it. */
  const weighed = async (): Promise<object> => {
    const { code, err, mostMiB } = await weigh(servers.kafka(), name)
    const outputs = (await world.readAll(`${name}-out`, 0)).length
    return { code, err, outputs, isBelow: mostMiB === null || mostMiB < limitMiB }
  }

  it.each(['gzip', 'zstd'] as const)(
    '1,000 batches of 150 MiB, %s: below 400 MiB, and each of 150,000 records is read',
    async (compression) => {
      const batch = await batchOf(150, Buffer.alloc(mebibyte), compression)
      for (let n = 0; n < 1_000; n += 1) await world.appendBatch(`${name}-in`, 0, batch)
      expect(await weighed()).toMatchObject({ code: 0, outputs: 150_000, isBelow: true })
    },
    2 * hour,
  )

  it(
    '300 messages of 10 MB that nothing makes smaller',
    async () => {
      for (let n = 0; n < 300; n += 1) {
        await world.appendBatch(`${name}-in`, 0, await batchOf(1, randomBytes(10_000_000), 'none'))
      }
      expect(await weighed()).toMatchObject({ code: 0, outputs: 300, isBelow: true })
    },
    hour / 2,
  )
})
