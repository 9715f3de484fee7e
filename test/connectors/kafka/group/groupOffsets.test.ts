import { setTimeout as wait } from 'node:timers/promises'
import { afterEach, beforeEach, expect, it } from 'vitest'
import type { KafkajsBroker } from '../../../../src/connectors/kafka/client/kafkajs.ts'
import { readGroupOffsets } from '../../../../src/connectors/kafka/group/groupOffsets.ts'
import { requestOffsets } from '../../../../src/connectors/kafka/protocol/offsetFetch.ts'
import { TaskProducer } from '../../../../src/connectors/kafka/write/taskProducer.ts'
import { describeWithServers } from '../../../support/realServers.ts'
import { KafkaWorld, uniqueName } from '../kafkaWorld.ts'

describeWithServers('committed offsets', ['kafka'], (servers) => {
  let world: KafkaWorld
  let topic: string
  let groupId: string

  beforeEach(async () => {
    world = new KafkaWorld(servers.kafka())
    topic = await world.createTopic(uniqueName('input'), 1)
    groupId = uniqueName('group')
    await world.commitOffset(groupId, topic, 0, { offset: 1, metadata: 'before' })
  })
  afterEach(async () => {
    await world.close()
  })

  const ofTopic = () => ({ places: [{ topic, partition: 0 }], stable: true })
  const undecided = async (): Promise<TaskProducer> => {
    const { cluster } = world
    const options = { cluster, transactionalId: groupId, transactionTimeoutMs: 60_000, compression: 'none' } as const
    const producer = await TaskProducer.fence(options)
    await producer.sendOffsets(groupId, [{ topic, partition: 0, offset: 2, metadata: 'after' }])
    return producer
  }

  it.each([
    ['commit', 2, 'after'],
    ['abort', 1, 'before'],
  ] as const)('of a transaction that is undecided are waited for: %s', async (outcome, offset, metadata) => {
    const producer = await undecided()
    let answered = false
    const reading = readGroupOffsets(world.cluster, groupId, ofTopic()).finally(() => {
      answered = true
    })
    await wait(500)
    expect(answered).toBe(false)
    await producer.end(outcome)
    expect(await reading).toEqual([{ topic, partition: 0, offset, metadata }])
    await producer.discard('The test has ended')
  })

  it('are not waited for without end', async () => {
    const impatient = new KafkaWorld(servers.kafka(), { requestTimeoutMs: 1_000 })
    const producer = await undecided()
    await expect(readGroupOffsets(impatient.cluster, groupId, ofTopic())).rejects.toMatchObject({
      code: 'system-unreachable',
      message: expect.stringContaining('UNSTABLE_OFFSET_COMMIT'),
    })
    await producer.end('abort')
    await producer.discard('The test has ended')
    await impatient.close()
  })

  it('of a whole group are those of now', async () => {
    const producer = await undecided()
    expect(await readGroupOffsets(world.cluster, groupId)).toEqual([
      { topic, partition: 0, offset: 1, metadata: 'before' },
    ])
    await producer.end('abort')
    await producer.discard('The test has ended')
  })

  it('of partitions that have none are left out', async () => {
    expect(await readGroupOffsets(world.cluster, uniqueName('nobody'), ofTopic())).toEqual([])
  })

  it('are told by brokers before 2.5 too, which do not wait', async () => {
    const { connectionPool } = await world.cluster.pool.broker(await world.cluster.coordinatorOf('group', groupId))
    const old = { connectionPool, versions: { 9: { minVersion: 0, maxVersion: 5 } } } as unknown as KafkajsBroker
    for (const places of [[{ topic, partition: 0 }], null]) {
      expect(await requestOffsets(old, { groupId, places, stable: true })).toEqual([
        { topic, partition: 0, offset: 1, metadata: 'before' },
      ])
    }
  })
})
