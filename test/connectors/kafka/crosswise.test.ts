import { expect, test } from 'vitest'
import { KafkaCluster } from '../../../src/connectors/kafka/client/kafkaCluster.ts'
import { systemClock } from '../../../src/core/ports/clock.ts'
import { silentLogger } from '../../../src/core/ports/logger.ts'
import { describeWithServers } from '../../support/realServers.ts'
import { realRows } from '../cassandra/realRows.ts'
import { testConfig } from './kafkaWorld.ts'

describeWithServers('addresses that were mixed up', ['kafka', 'cassandra'], (servers) => {
  test('Kafka named by the port of Cassandra is unreachable, and Cassandra is said to be there', async () => {
    const cluster = new KafkaCluster(testConfig(servers.cassandra().contactPoints), systemClock, silentLogger)
    try {
      await expect(cluster.metadata([])).rejects.toMatchObject({
        code: 'system-unreachable',
        message: expect.stringMatching(
          /what answers is no Kafka broker but Cassandra\. Probably kafka\.bootstrap\.servers names the port of something else/,
        ) as string,
      })
    } finally {
      await cluster.close()
    }
  })

  test('Cassandra named by the port of Kafka is unreachable', async () => {
    const real = realRows(servers.kafka(), { connectTimeoutMs: 2_000, requestTimeoutMs: 2_000 })
    try {
      await expect(real.rows.connect()).rejects.toMatchObject({
        code: 'system-unreachable',
        message: expect.stringMatching(/no Cassandra at all: .*check cassandra\.contact\.points/) as string,
      })
    } finally {
      await real.rows.close()
    }
  })
})
