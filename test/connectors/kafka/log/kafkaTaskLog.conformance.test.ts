import { taskLogConformance } from '../../../conformance/taskLog.ts'
import type { TaskLogWorld } from '../../../conformance/taskLogSteps.ts'
import { describeWithServers } from '../../../support/realServers.ts'
import { KafkaWorld, TestOwner, testConfig, uniqueName } from '../kafkaWorld.ts'
import { TopicRenaming } from '../topicRenaming.ts'

describeWithServers('Kafka', ['kafka'], (servers) => {
  taskLogConformance(
    'Kafka',
    async (): Promise<TaskLogWorld> => {
      const names = new TopicRenaming()
      const world = new KafkaWorld(servers.kafka())
      const job = uniqueName('job')
      for (const topic of ['orders', 'payments', 'results', 'dead']) await world.createTopic(names.there(topic), 2)
      const config = testConfig(servers.kafka())
      let owner = new TestOwner(config)
      const owners = [owner]
      const topics = ['orders', 'payments'].map((topic) => names.there(topic))
      return {
        taskLog: async (partition) => names.log(await owner.taskLog({ job, topics, partition })),
        append: (records) => world.append(records.map((record) => names.output(record))),
        readAll: async (topic, partition) =>
          (await world.readAll(names.there(topic), partition)).map((record) => names.record(record)),
        crash: async () => {
          // Its sockets are gone and nothing is said to anybody, as after kill -9.
          await owner.close()
          owner = new TestOwner(config)
          owners.push(owner)
        },
        close: async () => {
          await Promise.all([...owners.map((each) => each.close()), world.close()])
        },
      }
    },
    { marker: 1, compactsWhenAsked: false, topicIds: true },
  )
})
