import { createRequire } from 'node:module'
import { describe, expect, test } from 'vitest'
import { TidemarkError } from '../../../../src/core/errors.ts'
import {
  BrokerRefusal,
  asKafkaError,
  asTransactionError,
  brokerCode,
} from '../../../../src/connectors/kafka/client/kafkaErrors.ts'

const require = createRequire(import.meta.url)
const { createErrorFromCode } = require('kafkajs/src/protocol/error') as {
  readonly createErrorFromCode: (code: number) => Error
}
const { KafkaJSRequestTimeoutError, KafkaJSNumberOfRetriesExceeded } = require('kafkajs/src/errors') as Record<
  string,
  new (...parts: unknown[]) => Error
>

describe("a broker's code", () => {
  test.each([6, 45, 47, 51, 59])('%i is found in the error that kafkajs makes of it', (code) => {
    expect(brokerCode(createErrorFromCode(code))).toBe(code)
  })

  test.each([90, 120])('%i is found, although kafkajs does not know it', (code) => {
    expect(createErrorFromCode(code)).toMatchObject({ type: 'KAFKAJS_UNKNOWN_ERROR_CODE', code: -99 })
    expect(brokerCode(createErrorFromCode(code))).toBe(code)
  })

  test('is found behind other errors', () => {
    expect(brokerCode(new TidemarkError('system-unreachable', 'x', { cause: createErrorFromCode(16) }))).toBe(16)
    if (KafkaJSNumberOfRetriesExceeded === undefined) throw new Error('kafkajs has changed')
    expect(
      brokerCode(new KafkaJSNumberOfRetriesExceeded(createErrorFromCode(51), { retryCount: 1, retryTime: 1 })),
    ).toBe(51)
  })

  test('is not there when nobody has answered', () => {
    if (KafkaJSRequestTimeoutError === undefined) throw new Error('kafkajs has changed')
    expect(brokerCode(new KafkaJSRequestTimeoutError('timed out'))).toBeNull()
    expect(brokerCode(new Error('read ECONNRESET'))).toBeNull()
    expect(brokerCode('x')).toBeNull()
  })
})

describe('a failed step of a transaction', () => {
  test.each([45, 47, 48, 49, 59, 90, 120])('with code %i is a lost identity, and no failure of the job', (code) => {
    expect(asTransactionError(createErrorFromCode(code), 'The commit failed')).toMatchObject({
      code: 'commit-failed',
      retriable: true,
    })
  })

  test.each([47, 90])('with code %i says who may have the transactional id, and what to do', (code) => {
    const { message } = asTransactionError(createErrorFromCode(code), 'The commit failed')
    expect(message).toContain('another process has taken the transactional id over')
    expect(message).toContain('two jobs have the same transactionalIdPrefix: give each its own')
  })

  test('without an answer has an unknown outcome, and is no failure of the job', () => {
    expect(asTransactionError(new Error('read ECONNRESET'), 'The commit failed')).toMatchObject({
      code: 'commit-failed',
      retriable: true,
    })
  })

  test.each([10, 32, 87])('that the broker clearly refuses (%i) is a failure that is counted', (code) => {
    expect(asTransactionError(createErrorFromCode(code), 'Sending failed')).toMatchObject({
      code: 'commit-failed',
      retriable: false,
    })
  })

  test.each([29, 30, 53])('that is not allowed (%i) stops the job, naming what the user needs', (code) => {
    expect(asTransactionError(new BrokerRefusal(code, 'x'), 'Sending failed')).toMatchObject({
      code: 'not-authorized',
      kind: 'configuration',
      message: expect.stringContaining('WRITE and DESCRIBE'),
    })
  })
})

test('a topic that does not exist is told as that, everything else that nobody answers as unreachable', () => {
  expect(asKafkaError(createErrorFromCode(3), 'Reading')).toMatchObject({ code: 'unknown-topic' })
  expect(asKafkaError(createErrorFromCode(5), 'Reading')).toMatchObject({
    code: 'system-unreachable',
    details: { system: 'kafka' },
  })
  const own = new TidemarkError('data-removed', 'gone')
  expect(asKafkaError(own, 'Reading')).toBe(own)
})
