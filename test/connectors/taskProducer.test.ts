import { describe, expect, it } from 'vitest'
import type { KafkaCluster } from '../../src/connectors/kafka/kafkaCluster.ts'
import { RecordBatchBuilder } from '../../src/connectors/kafka/protocol/recordBatchBuilder.ts'
import { TaskProducer } from '../../src/connectors/kafka/taskProducer.ts'
import { systemClock } from '../../src/core/clock.ts'

type Answer = () => Promise<unknown>

const lostAnswer: Answer = () => Promise.reject(new Error('the connection was closed'))

const requests = ['initProducerId', 'addPartitionsToTxn', 'addOffsetsToTxn', 'txnOffsetCommit', 'endTxn'] as const

/** Coordinators that note what they are asked, and answer as the test says; else that all is well. */
function fakeCluster(answers: Readonly<Record<string, Answer>> = {}): { cluster: KafkaCluster; asked: string[] } {
  const asked: string[] = []
  const coordinator = Object.fromEntries(
    requests.map((request) => [
      request,
      () => {
        asked.push(request)
        return answers[request]?.() ?? Promise.resolve({ producerId: '7', producerEpoch: 0 })
      },
    ]),
  )
  const cluster: unknown = {
    clock: systemClock,
    connection: { requestTimeoutMs: 1_000 },
    newPool: () => ({ close: () => Promise.resolve() }),
    coordinatorBroker: () => Promise.resolve(coordinator),
    leaderBroker: () => {
      asked.push('produce')
      return lostAnswer()
    },
    forgetCoordinator: () => undefined,
    refreshLeaders: () => Promise.resolve(),
  }
  return { cluster: cluster as KafkaCluster, asked }
}

function fenced(cluster: KafkaCluster): Promise<TaskProducer> {
  return TaskProducer.fence({ cluster, transactionalId: 'id', transactionTimeoutMs: 1_000, compression: 'none' })
}

const offsets = [{ topic: 'input', partition: 0, offset: 3, metadata: '' }]

describe('TaskProducer', () => {
  it('asks for an end once: a lost answer leaves the outcome open, and nothing more is sent', async () => {
    const { cluster, asked } = fakeCluster({ endTxn: lostAnswer })
    const producer = await fenced(cluster)
    await producer.sendOffsets('group', offsets)
    await expect(producer.end('commit')).rejects.toMatchObject({ code: 'commit-failed', retriable: true })
    expect(producer.broken).not.toBeNull()
    const before = asked.length
    expect(asked.filter((request) => request === 'endTxn')).toHaveLength(1)
    await expect(producer.end('commit')).rejects.toBe(producer.broken)
    await expect(producer.end('abort')).rejects.toBe(producer.broken)
    await expect(producer.sendOffsets('group', offsets)).rejects.toBe(producer.broken)
    expect(asked).toHaveLength(before)
  })

  it('does not send a batch of a transaction that was given up while the batch waited for its turn', async () => {
    const { cluster, asked } = fakeCluster()
    const producer = await fenced(cluster)
    const batch = { topic: 'output', partition: 0, maxBytes: 1_000, builder: new RecordBatchBuilder() }
    await producer.append(batch, () => true)
    expect(asked).toEqual(['initProducerId'])
  })
})
