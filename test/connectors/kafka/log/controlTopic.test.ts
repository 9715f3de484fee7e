import { expect, test } from 'vitest'
import { readControl, type ControlTopicOptions } from '../../../../src/connectors/kafka/log/controlTopic.ts'
import { kafkaError } from '../../../../src/connectors/kafka/protocol/errorCodes.ts'

type Read = Pick<ControlTopicOptions, 'cluster' | 'fetcher' | 'topic'>

/** A cluster that answers for the control topic with this error. */
function reading(error: number): Read {
  const topics = [{ topic: 'job-control', id: null, error, internal: false, partitions: [] }]
  const cluster = { metadata: async () => ({ topics }) }
  return { cluster, fetcher: {}, topic: 'job-control' } as unknown as Read
}

test('a job that was never reset has no control topic', async () => {
  expect(await readControl(reading(kafkaError.unknownTopicOrPartition))).toBeNull()
})

test('who may not see the control topic is told which one it is', async () => {
  await expect(readControl(reading(kafkaError.topicAuthorizationFailed))).rejects.toMatchObject({
    code: 'not-authorized',
    message: expect.stringMatching(/for topic job-control\. .*READ and DESCRIBE on .*control topic/),
  })
})
