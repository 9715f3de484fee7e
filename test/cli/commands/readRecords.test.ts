import { describe, expect, test } from 'vitest'
import { readRecords, type ReadFrom, type ReadingRequest } from '../../../src/cli/commands/readRecords.ts'
import type { RecordPage } from '../../../src/core/ports/topics.ts'
import { systemClock } from '../../../src/core/ports/clock.ts'
import { StreamRecord } from '../../../src/core/record.ts'

const timestampOf = (offset: number): number => (offset % 2 === 0 ? offset * 10 : offset * 10 - 15)

/** What reading a topic has no need of. */
class UnusedStore {
  readonly #unused = (): never => {
    throw new Error('not used')
  }
  readonly createTopic = this.#unused
  readonly listTopics = this.#unused
  readonly append = this.#unused
  readonly committedOffsets = this.#unused
}

/** A topic whose records are their offsets; a page holds at most three. */
class TestTopic extends UnusedStore {
  readonly ends: number[]
  constructor(...ends: number[]) {
    super()
    this.ends = ends
  }

  async describeTopic(name: string) {
    return { name, partitions: this.ends.length, maxMessageBytes: 1, internal: false, endOffsets: [...this.ends] }
  }

  async readPage({ partition, from, limit }: { partition: number; from: number; limit: number }): Promise<RecordPage> {
    const end = this.ends[partition]
    if (end === undefined) throw new Error(`no partition ${String(partition)}`)
    const records: StreamRecord[] = []
    for (let offset = from; offset < end && records.length < Math.min(limit, 3); offset += 1) {
      const value = Buffer.from(`${String(partition)}@${String(offset)}`)
      records.push(new StreamRecord('t', partition, offset, timestampOf(offset), null, [], value, value))
    }
    return { records, next: Math.max(from, (records.at(-1)?.offset ?? from - 1) + 1), end }
  }
}

const everything: ReadingRequest = {
  topic: 't',
  partition: null,
  from: { kind: 'earliest' },
  limit: Infinity,
  follow: false,
  signal: new AbortController().signal,
}

async function read(topic: TestTopic, given: Partial<ReadingRequest> = {}): Promise<string[]> {
  const request = { ...everything, ...given }
  const found: string[] = []
  for await (const page of readRecords(topic, request, systemClock))
    found.push(...page.map(({ value }) => String(value)))
  return found
}

describe('without follow', () => {
  test('every partition is read to its end, one after the other', async () => {
    expect(await read(new TestTopic(4, 0, 2))).toEqual(['0@0', '0@1', '0@2', '0@3', '2@0', '2@1'])
  })

  test('the end is the one found at the start', async () => {
    const topic = new TestTopic(2)
    const describeTopic = topic.describeTopic.bind(topic)
    topic.describeTopic = async (name) => {
      const description = await describeTopic(name)
      topic.ends[0] = 10
      return description
    }
    expect(await read(topic)).toEqual(['0@0', '0@1'])
  })

  test('one partition can be chosen, and one that is not there is refused', async () => {
    expect(await read(new TestTopic(4, 2), { partition: 1 })).toEqual(['1@0', '1@1'])
    await expect(read(new TestTopic(4, 2), { partition: 2 })).rejects.toThrow('no partition 2')
  })

  test.each<[ReadFrom, string[]]>([
    [{ kind: 'latest' }, []],
    [{ kind: 'offset', offset: 3 }, ['0@3', '0@4']],
    [{ kind: 'offset', offset: 9 }, []],
    // Timestamps are 0, -5, 20, 15, 40: what follows the first match is kept, older or not.
    [{ kind: 'timestamp', timestampMs: 16 }, ['0@2', '0@3', '0@4']],
    [{ kind: 'timestamp', timestampMs: 21 }, ['0@4']],
    [{ kind: 'timestamp', timestampMs: 1000 }, []],
  ])('reading can begin at %o', async (from, expected) => {
    expect(await read(new TestTopic(5), { from })).toEqual(expected)
  })

  test.each([
    [0, 0],
    [1, 1],
    [5, 5],
    [100, 6],
  ])('a limit of %d gives %d of six', async (limit, count) => {
    expect(await read(new TestTopic(4, 2), { limit })).toHaveLength(count)
    expect(await read(new TestTopic(6), { limit, from: { kind: 'timestamp', timestampMs: 0 } })).toHaveLength(count)
  })
})

describe('with follow', () => {
  test('records that are written later are read, until the signal', async () => {
    const topic = new TestTopic(1, 1)
    const ending = new AbortController()
    const found: string[] = []
    const request = { ...everything, follow: true, signal: ending.signal }
    for await (const page of readRecords(topic, request, systemClock)) {
      found.push(...page.map(({ value }) => String(value)))
      if (found.length === 2) {
        setTimeout(() => {
          topic.ends[1] = 3
        }, 20)
      }
      if (found.length === 4) ending.abort()
    }
    expect(found).toEqual(['0@0', '1@0', '1@1', '1@2'])
  })

  test('a limit ends it', async () => {
    expect(await read(new TestTopic(8, 8), { follow: true, limit: 7 })).toHaveLength(7)
  })

  test('latest begins behind what is there', async () => {
    const topic = new TestTopic(5)
    setTimeout(() => {
      topic.ends[0] = 6
    }, 20)
    expect(await read(topic, { follow: true, from: { kind: 'latest' }, limit: 1 })).toEqual(['0@5'])
  })
})
