import { fc, test as property } from '@fast-check/vitest'
import { expect, test } from 'vitest'
import { recordBytes, type Header } from '../../../../src/core/record.ts'
import { RecordBatchBuilder } from '../../../../src/connectors/kafka/protocol/recordBatchBuilder.ts'
import {
  BatchCollector,
  maxRecordBytes,
  type PlacedBatch,
} from '../../../../src/connectors/kafka/write/recordPlacement.ts'
import type { KnownTopic } from '../../../../src/connectors/kafka/client/topicDirectory.ts'
import { output } from '../kafkaWorld.ts'

const topic: KnownTopic = { name: 'orders', partitions: 4, maxMessageBytes: 1_000, needsKey: false, timestamps: null }

const bytes = fc.uint8Array({ maxLength: 400 }).map((array) => Buffer.from(array))
const headers = fc.array(
  fc.tuple(fc.string({ unit: 'binary', maxLength: 6 }), fc.option(bytes, { nil: null })).map((pair): Header => pair),
  { maxLength: 40 },
)

property.prop([
  fc.option(bytes, { nil: null }),
  fc.option(bytes, { nil: null }),
  headers,
  fc.integer({ min: -1, max: 2 ** 52 }),
])(
  'a record that counts for no more than a topic takes makes a batch that the topic takes, whatever its headers',
  (key, value, drawn, timestamp) => {
    const record = { timestamp, key, value, headers: drawn }
    const maxMessageBytes = recordBytes(record) + 97
    expect(recordBytes(record)).toBeLessThanOrEqual(maxRecordBytes({ ...topic, maxMessageBytes }))
    expect(new RecordBatchBuilder().bytesWith(record)).toBeLessThanOrEqual(maxMessageBytes)
  },
)

test('batches are closed before they exceed what the topic takes, and in order', () => {
  const full: PlacedBatch[] = []
  const collector = new BatchCollector((batch) => full.push(batch))
  for (let n = 0; n < 20; n += 1) collector.add(output('orders', 'x'.repeat(200)), topic, n % 2)
  const batches = [...full, ...collector.take()]
  for (const { builder } of batches) expect(builder.bytes).toBeLessThanOrEqual(topic.maxMessageBytes)
  expect(batches.reduce((sum, { builder }) => sum + builder.count, 0)).toBe(20)
  expect(collector.take()).toEqual([])
})

test('a record that no batch can hold is refused with its size and the limit', () => {
  const collector = new BatchCollector(() => undefined)
  expect(() => {
    collector.add(output('orders', 'x'.repeat(1_000)), topic, 0)
  }).toThrow(
    expect.objectContaining({
      code: 'record-too-large',
      details: expect.objectContaining({ outputTopic: 'orders', maxBytes: 1_000 }),
    }),
  )
})
