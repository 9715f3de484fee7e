import { expect, test } from 'vitest'
import type { KafkajsBroker } from '../../../../src/connectors/kafka/client/kafkajs.ts'
import { checkBrokerVersion } from '../../../../src/connectors/kafka/log/startupChecks.ts'
import { TestLog } from '../kafkaJob.ts'

/** A broker that offers Fetch in these versions; Kafka 4.0 has dropped those below 4. */
function broker(minVersion: number, maxVersion: number): KafkajsBroker {
  // Only the versions are looked at.
  return { versions: { 1: { minVersion, maxVersion } } } as unknown as KafkajsBroker
}

test('brokers before 4.0 are warned of, naming the risk', () => {
  const log = new TestLog()
  checkBrokerVersion(broker(0, 16), log)
  expect(log.lines).toEqual([
    expect.objectContaining({
      level: 'warn',
      message: expect.stringMatching(/older than 4\.0.*exactly-once is at risk/),
    }),
  ])
})

test('brokers from 4.0 on are not', () => {
  const log = new TestLog()
  checkBrokerVersion(broker(4, 18), log)
  expect(log.lines).toEqual([])
})

test('brokers that cannot be talked to are refused', () => {
  expect(() => {
    checkBrokerVersion(broker(0, 10), new TestLog())
  }).toThrow(expect.objectContaining({ code: 'system-unreachable', retriable: false }))
})
