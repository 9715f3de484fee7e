import { describe, expect, it } from 'vitest'
import { readForPreview } from '../../../src/cli/output/readForPreview.ts'
import type { Topics } from '../../../src/core/ports/topics.ts'
import { StreamRecord } from '../../../src/core/record.ts'
import type { StartMode } from '../../../src/core/startMode.ts'
import type { Plan } from '../../../src/runtime/plan/plan.ts'

const counts = [10, 0, 5]

/** Three partitions of `in`; the record at offset n is n ms old. */
const store: Pick<Topics, 'describeTopic' | 'readPage' | 'committedOffsets' | 'listTopics'> = {
  describeTopic: (name) =>
    Promise.resolve({ name, partitions: 3, maxMessageBytes: 1, internal: false, endOffsets: counts }),
  listTopics: () =>
    Promise.resolve(
      ['in', 'other'].map((name) => ({ name, partitions: 3, maxMessageBytes: 1, internal: false, endOffsets: counts })),
    ),
  readPage: ({ topic, partition, from, limit }) => {
    const end = counts[partition] ?? 0
    const offsets = Array.from({ length: end }, (_, offset) => offset)
      .filter((offset) => offset >= from)
      .slice(0, limit)
    const records = offsets.map((offset) => new StreamRecord(topic, partition, offset, offset, null, [], null, null))
    return Promise.resolve({ records, next: (offsets.at(-1) ?? end - 1) + 1, end })
  },
  committedOffsets: () => Promise.resolve([{ topic: 'in', partition: 0, offset: 8, metadata: '' }]),
}
// The rest of a store is not asked here.
const client = store as Topics

const plan = (topics: Plan['sources'][number]['topics']): Plan =>
  ({ groupId: 'g', sources: [{ step: 's', topics, startFrom: { kind: 'earliest' } }] }) as unknown as Plan

const positions = async (from: StartMode, limit: number, topics: Plan['sources'][number]['topics'] = named) =>
  (await readForPreview(client, plan(topics), { from, limit })).map(
    ({ topic, partition, offset }) => `${topic} ${String(partition)}@${String(offset)}`,
  )
const named = { kind: 'topics', topics: ['in'] } as const

describe('what preview reads', () => {
  it('is spread over the partitions and not more than was asked for', async () => {
    expect(await positions({ kind: 'earliest' }, 4)).toEqual(['in 0@0', 'in 0@1', 'in 2@0', 'in 2@1'])
    expect(await positions({ kind: 'earliest' }, 3)).toHaveLength(2)
  })

  it('ends where the topic ends', async () => {
    expect(await positions({ kind: 'latest' }, 6)).toEqual(['in 0@8', 'in 0@9', 'in 2@3', 'in 2@4'])
  })

  it('begins at a time, or at given offsets', async () => {
    expect(await positions({ kind: 'timestamp', timestampMs: 4 }, 6)).toEqual(['in 0@4', 'in 0@5', 'in 2@4'])
    expect(await positions({ kind: 'offsets', offsets: new Map([[2, 3]]) }, 9)).toEqual(['in 2@3', 'in 2@4'])
  })

  it('refuses committed offsets where there are none', async () => {
    await expect(positions({ kind: 'committed' }, 3)).rejects.toThrow('Nothing is committed for in, partition 1')
  })

  it('finds the topics of a pattern', async () => {
    expect(await positions({ kind: 'earliest' }, 1, { kind: 'pattern', pattern: /^ot/ })).toEqual(['other 0@0'])
  })
})
