import { expect, test } from 'vitest'
import { decodeCommitMetadata, encodeCommitMetadata } from '../../../../src/core/commitMetadata.ts'
import { offsetMetadata, wholeMetadata } from '../../../../src/connectors/kafka/log/offsetMetadata.ts'
import { commitMetadata } from '../../../support/commitMetadata.ts'

const metadata = commitMetadata({
  epoch: 12,
  inputs: 2,
  partitionCounts: { orders: 4, payments: 4 },
  changelogEnd: 99,
})

const manyTopics = Array.from({ length: 300 }, (_, n) => `topic-with-a-long-name-${String(n)}`)
const many = { ...metadata, inputs: 300, partitionCounts: Object.fromEntries(manyTopics.map((topic) => [topic, 8])) }

test('all inputs carry the same text', () => {
  expect(offsetMetadata(['orders', 'payments'], metadata)).toEqual(
    new Map([
      ['orders', encodeCommitMetadata(metadata)],
      ['payments', encodeCommitMetadata(metadata)],
    ]),
  )
})

test('with so many topics that Kafka would refuse it, each text has its own count, and they become whole again', () => {
  const texts = offsetMetadata(manyTopics, many)
  for (const text of texts.values()) expect(text.length).toBeLessThanOrEqual(4096)
  const committed = new Map([...texts].map(([topic, text], offset) => [topic, { offset, metadata: text }]))
  const whole = wholeMetadata(committed)
  for (const [topic, { offset, metadata: text }] of whole) {
    expect(decodeCommitMetadata(text)).toEqual(many)
    expect(offset).toBe(committed.get(topic)?.offset)
  }
})

test('a text that is not ours is handed on as it is', () => {
  const committed = new Map([
    ['orders', { offset: 1, metadata: encodeCommitMetadata(metadata) }],
    ['payments', { offset: 2, metadata: 'of another program' }],
  ])
  expect(wholeMetadata(committed)).toEqual(committed)
})

test('texts of different commits are not mixed', () => {
  const texts = offsetMetadata(manyTopics, many)
  const later = offsetMetadata(manyTopics, { ...many, epoch: 13, nonce: 'other' })
  const [a = '', b = '', c = ''] = manyTopics
  const whole = wholeMetadata(
    new Map([
      [a, { offset: 1, metadata: texts.get(a) ?? '' }],
      [b, { offset: 1, metadata: later.get(b) ?? '' }],
      [c, { offset: 1, metadata: '' }],
    ]),
  )
  expect(decodeCommitMetadata(whole.get(a)?.metadata ?? '')).toMatchObject({ epoch: 12, partitionCounts: { [a]: 8 } })
  expect(decodeCommitMetadata(whole.get(b)?.metadata ?? '')).toMatchObject({ epoch: 13, partitionCounts: { [b]: 8 } })
  expect(whole.get(c)?.metadata).toBe('')
})

test('a text that is too long with a single topic is refused by what makes it long', () => {
  const long = { ...metadata, transactionalIdPrefix: 'x'.repeat(4096) }
  expect(() => offsetMetadata(['orders'], long)).toThrow(expect.objectContaining({ code: 'invalid-plan' }))
})
