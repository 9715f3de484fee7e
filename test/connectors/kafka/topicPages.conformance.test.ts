import { KafkaTopics } from '../../../src/connectors/kafka/topics/kafkaTopics.ts'
import { systemClock } from '../../../src/core/ports/clock.ts'
import { silentLogger } from '../../../src/core/ports/logger.ts'
import { topicPagesConformance } from '../../conformance/topicPages.ts'
import { describeWithServers } from '../../support/realServers.ts'
import { testConfig, uniqueName } from './kafkaWorld.ts'

describeWithServers('Kafka', ['kafka'], (servers) => {
  topicPagesConformance('Kafka', async () => {
    const topics = new KafkaTopics(testConfig(servers.kafka()), { clock: systemClock, log: silentLogger })
    const topic = uniqueName('pages')
    await topics.createTopic(topic, { partitions: 1 })
    return {
      append: async (records) => {
        await topics.append(records.map((record) => ({ ...record, topic })))
      },
      readPage: (request) => topics.readPage({ topic, partition: 0, ...request }),
      close: () => topics.close(),
    }
  })
})
