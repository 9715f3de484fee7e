import { describe, expect, test } from 'vitest'
import { partitionsOf } from '../../../../src/connectors/kafka/log/ownTopic.ts'
import { ensureWriteAheadTopic } from '../../../../src/connectors/kafka/log/kafkaWriteAheadLog.ts'
import { writeAheadLogConformance } from '../../../conformance/writeAheadLog.ts'
import { describeWithServers } from '../../../support/realServers.ts'
import { KafkaWorld, TestOwner, testConfig, uniqueName } from '../kafkaWorld.ts'
import { TopicRenaming } from '../topicRenaming.ts'

describeWithServers('Kafka', ['kafka'], (servers) => {
  writeAheadLogConformance('Kafka', async () => {
    const names = new TopicRenaming()
    const world = new KafkaWorld(servers.kafka())
    const job = uniqueName('job')
    await world.createTopic(names.there('orders'), 2)
    const config = testConfig(servers.kafka())
    let owner = new TestOwner(config)
    const owners = [owner]
    const topics = [names.there('orders')]
    return {
      taskLog: async (partition) => names.log(await owner.taskLog({ job, topics, partition, follows: true })),
      crash: async () => {
        await owner.close()
        owner = new TestOwner(config)
        owners.push(owner)
      },
      close: async () => {
        await Promise.all([...owners.map((each) => each.close()), world.close()])
      },
    }
  })

  describe('the topic of the write-ahead logs', () => {
    test('is made, and given partitions for more tasks', async () => {
      const { cluster } = new TestOwner(testConfig(servers.kafka()))
      const name = uniqueName('wal')
      await ensureWriteAheadTopic(cluster, name, 2)
      await ensureWriteAheadTopic(cluster, name, 3)
      expect(await partitionsOf(cluster, name)).toBe(3)
      await cluster.close()
    })

    test('is refused when something else removes from it', async () => {
      const world = new KafkaWorld(servers.kafka())
      const { cluster } = new TestOwner(testConfig(servers.kafka()))
      const name = uniqueName('wal')
      await world.createTopic(name, 1)
      await expect(ensureWriteAheadTopic(cluster, name, 1)).rejects.toMatchObject({
        code: 'invalid-plan',
        message: expect.stringContaining('set retention.ms=-1') as unknown,
      })
      await cluster.close()
      await world.close()
    })
  })
})
