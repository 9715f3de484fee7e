import { expect, test } from 'vitest'
import { ControlTopic, type ControlTopicOptions } from '../../../../src/connectors/kafka/log/controlTopic.ts'
import { kafkaError } from '../../../../src/connectors/kafka/protocol/errorCodes.ts'

/** The control topic of a cluster that answers for it with this error. */
function answering(error: number): ControlTopic {
  const topics = [{ topic: 'job-control', id: null, error, internal: false, partitions: [] }]
  const cluster = { metadata: async () => ({ topics }) }
  return new ControlTopic({ cluster, fetcher: {}, topic: 'job-control' } as unknown as ControlTopicOptions)
}

test('a job that was never reset has no control topic', async () => {
  expect(await answering(kafkaError.unknownTopicOrPartition).read()).toBeNull()
})

test('who may not see the control topic is told which one it is', async () => {
  await expect(answering(kafkaError.topicAuthorizationFailed).read()).rejects.toMatchObject({
    code: 'not-authorized',
    message: expect.stringMatching(/for topic job-control\. .*READ and DESCRIBE on .*control topic/),
  })
})
