import { describe, expect, test } from 'vitest'
import { systemClock } from '../../../../src/core/ports/clock.ts'
import { resolveInputs } from '../../../../src/connectors/kafka/log/inputTopics.ts'
import { KafkaInputs } from '../../../../src/connectors/kafka/log/kafkaInputs.ts'
import type { TaskLogShared } from '../../../../src/connectors/kafka/log/taskLogShared.ts'
import { ownTopicsOf } from '../../../../src/core/ownNames.ts'
import type { ClusterMetadata } from '../../../../src/connectors/kafka/protocol/metadata.ts'

const partition = { partition: 0, leader: 1, replicas: [1], inSync: [1] }
const job = { job: 'orders-clean', group: 'source' }

/** A cluster with these topics. */
function clusterOf(names: readonly string[]): { metadata(): Promise<ClusterMetadata> } {
  const topics = names.map((topic) => ({ topic, id: null, error: 0, internal: false, partitions: [partition] }))
  return { metadata: async () => ({ clusterId: null, controllerId: 1, brokers: [], topics }) }
}

describe('a pattern', () => {
  test('chooses none of the topics that the job keeps for itself, but those of other jobs as any other', async () => {
    const names = ['orders-clean-control', 'orders-clean-source-changelog', 'orders-eu', 'orders-us-changelog']
    const found = await resolveInputs(clusterOf(names), { ...job, inputs: [{ kind: 'pattern', pattern: /^orders-/ }] })
    expect([...found.keys()]).toEqual(['orders-eu', 'orders-us-changelog'])
  })

  test('that matches nothing else matches nothing', async () => {
    const inputs = [{ kind: 'pattern', pattern: /^orders-/ } as const]
    const found = resolveInputs(clusterOf([...ownTopicsOf(job)]), { ...job, inputs })
    await expect(found).rejects.toMatchObject({ code: 'unknown-topic' })
  })
})

test('a topic of its own is no input that a job still has, although an earlier version has read it', async () => {
  const shared: Partial<TaskLogShared> = { clock: systemClock, ownTopics: ownTopicsOf(job) }
  const log = new KafkaInputs(shared as TaskLogShared, { task: { ...job, partition: 0 }, topics: [] })
  expect(await log.exists('orders-clean-source-changelog')).toBe(false)
})
