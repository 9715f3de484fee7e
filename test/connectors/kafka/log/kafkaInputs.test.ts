import { describe, expect, test } from 'vitest'
import { isDiscovered } from '../../../../src/connectors/kafka/log/kafkaInputs.ts'
import type { FetchedOffset } from '../../../../src/connectors/kafka/protocol/offsetFetch.ts'
import { offsetMetadata } from '../../../../src/connectors/kafka/log/offsetMetadata.ts'
import { commitMetadata } from '../../../support/commitMetadata.ts'

/** What a task of these topics has committed. */
function committedBy(partition: number, partitionCounts: Readonly<Record<string, number>>): readonly FetchedOffset[] {
  const topics = Object.keys(partitionCounts)
  const texts = offsetMetadata(topics, commitMetadata({ inputs: topics.length, partitionCounts }))
  return [...texts].map(([topic, metadata]) => ({ topic, partition, offset: 0, metadata }))
}

describe('whether a partition came after the job had begun', () => {
  test('is not known before anything is committed, or by what another program has committed', () => {
    expect(isDiscovered([], { topic: 'a', partition: 0 })).toBe(false)
    const others = [{ topic: 'a', partition: 0, offset: 3, metadata: 'of another program' }]
    expect(isDiscovered(others, { topic: 'a', partition: 1 })).toBe(false)
  })

  test('is said by what the other tasks have noted of the topic', () => {
    const committed = [...committedBy(0, { a: 2 }), ...committedBy(1, { a: 2 })]
    expect(isDiscovered(committed, { topic: 'a', partition: 2 })).toBe(true)
    expect(isDiscovered(committed, { topic: 'a', partition: 1 })).toBe(false)
  })

  test('is so for a topic that nobody has noted who would have had it', () => {
    const committed = committedBy(0, { a: 2 })
    expect(isDiscovered(committed, { topic: 'new', partition: 0 })).toBe(true)
    expect(isDiscovered(committed, { topic: 'new', partition: 1 })).toBe(true)
  })

  test('is not said by a task above all partitions of the topic, which may be the first to commit', () => {
    const committed = [...committedBy(2, { b: 4 }), ...committedBy(3, { b: 4 })]
    expect(isDiscovered(committed, { topic: 'a', partition: 0 })).toBe(false)
    expect(isDiscovered(committed, { topic: 'a', partition: 1 })).toBe(false)
  })

  test('is not said by texts of so many topics that each has its own count only', () => {
    const counts = Object.fromEntries(Array.from({ length: 300 }, (_, n) => [`topic-with-a-long-name-${String(n)}`, 2]))
    const committed = committedBy(0, counts)
    expect(committed.every(({ metadata }) => metadata.length <= 4_096)).toBe(true)
    expect(isDiscovered(committed, { topic: 'topic-with-a-long-name-7', partition: 1 })).toBe(false)
    expect(isDiscovered(committed, { topic: 'topic-with-a-long-name-7', partition: 2 })).toBe(true)
  })
})
