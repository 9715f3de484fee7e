import { createRequire } from 'node:module'
import { fc, test as property } from '@fast-check/vitest'
import { describe, expect, test } from 'vitest'
import { AbortedTransactions, type BatchFacts } from '../../../../src/connectors/kafka/protocol/abortedTransactions.ts'

/** A batch of one record, or a marker. */
interface Event {
  readonly offset: number
  readonly producer: number
  readonly kind: 'record' | 'commit' | 'abort' | 'plain'
}

function facts({ offset, producer, kind }: Event): BatchFacts {
  return {
    producerId: BigInt(producer),
    lastOffset: offset,
    transactional: kind !== 'plain',
    marker: kind === 'commit' || kind === 'abort' ? kind : null,
  }
}

/** The broker's list: the first offset of each transaction that ends with an abort. */
function abortedOf(events: readonly Event[]): { producerId: bigint; firstOffset: number }[] {
  const open = new Map<number, number>()
  const aborted: { producerId: bigint; firstOffset: number }[] = []
  for (const { offset, producer, kind } of events) {
    if (kind === 'record' && !open.has(producer)) open.set(producer, offset)
    if (kind === 'abort') aborted.push({ producerId: BigInt(producer), firstOffset: open.get(producer) ?? offset })
    if (kind === 'abort' || kind === 'commit') open.delete(producer)
  }
  return aborted
}

function visible(events: readonly Event[], aborted = abortedOf(events)): readonly number[] {
  const filter = new AbortedTransactions(aborted)
  return events
    .filter((event) => !filter.covers(facts(event)) && (event.kind === 'record' || event.kind === 'plain'))
    .map(({ offset }) => offset)
}

/** What is committed, by definition. */
function committed(events: readonly Event[]): readonly number[] {
  return events
    .filter(({ offset, producer, kind }) => {
      if (kind === 'plain') return true
      const end = events.find(
        (other) =>
          other.offset > offset && other.producer === producer && (other.kind === 'abort' || other.kind === 'commit'),
      )
      return kind === 'record' && end?.kind === 'commit'
    })
    .map(({ offset }) => offset)
}

const overlapping: readonly Event[] = [
  { offset: 0, producer: 1, kind: 'record' },
  { offset: 1, producer: 2, kind: 'record' },
  { offset: 2, producer: 1, kind: 'record' },
  { offset: 3, producer: 2, kind: 'record' },
  { offset: 4, producer: 1, kind: 'abort' },
  { offset: 5, producer: 2, kind: 'record' },
  { offset: 6, producer: 2, kind: 'abort' },
  { offset: 7, producer: 3, kind: 'record' },
  { offset: 8, producer: 3, kind: 'commit' },
]

test('aborted transactions of two producers that overlap are both left out', () => {
  expect(visible(overlapping)).toEqual([7])
})

test('the order in which the broker lists aborted transactions does not matter', () => {
  expect(visible(overlapping, abortedOf(overlapping).toReversed())).toEqual([7])
})

test('a committed transaction of a producer whose previous one was aborted is seen', () => {
  const events: readonly Event[] = [
    { offset: 0, producer: 1, kind: 'record' },
    { offset: 1, producer: 1, kind: 'abort' },
    { offset: 2, producer: 1, kind: 'record' },
    { offset: 3, producer: 1, kind: 'commit' },
    { offset: 4, producer: 1, kind: 'record' },
    { offset: 5, producer: 1, kind: 'abort' },
  ]
  expect(visible(events)).toEqual([2])
})

test('records outside of any transaction are seen, also between those of an aborted one of the same producer id', () => {
  const events: readonly Event[] = [
    { offset: 0, producer: 1, kind: 'record' },
    { offset: 1, producer: 1, kind: 'plain' },
    { offset: 2, producer: 1, kind: 'abort' },
  ]
  expect(visible(events)).toEqual([1])
})

const anyEvents = fc
  .array(
    fc.record({
      producer: fc.integer({ min: 1, max: 4 }),
      kind: fc.constantFrom('record', 'record', 'record', 'commit', 'abort', 'plain'),
    }),
    { maxLength: 60 },
  )
  .map((drawn): readonly Event[] => {
    const events = drawn.map(({ producer, kind }, offset) => ({ offset, producer, kind }))
    // Below the last stable offset every transaction has ended.
    const open = [1, 2, 3, 4].filter((producer) => {
      const last = events.findLast((event) => event.producer === producer && event.kind !== 'plain')
      return last?.kind === 'record'
    })
    return [
      ...events,
      ...open.map((producer, index) => ({ offset: events.length + index, producer, kind: 'abort' as const })),
    ]
  })

property.prop([anyEvents])('any interleaving shows exactly what is committed', (events) => {
  expect(visible(events)).toEqual(committed(events))
})

describe("kafkajs 2.2.4's own filter, which is not used for that reason", () => {
  const require = createRequire(import.meta.url)
  const filterAbortedMessages = require('kafkajs/src/consumer/filterAbortedMessages') as (input: {
    messages: readonly object[]
    abortedTransactions: readonly object[]
  }) => readonly { offset: string }[]

  const message = (offset: number, producer: number, key: Buffer | null, isControlRecord = false): object => ({
    offset: String(offset),
    key,
    isControlRecord,
    batchContext: { producerId: String(producer), inTransaction: true },
  })
  const abortKey = Buffer.from([0, 0, 0, 0])

  test('leaks an aborted record when aborted transactions are not listed in the order of their first offsets', () => {
    const messages = [
      message(0, 1, null),
      message(1, 2, null),
      message(2, 2, abortKey, true),
      message(3, 1, abortKey, true),
    ]
    // The broker lists them in the order in which they were aborted.
    const abortedTransactions = [
      { producerId: '2', firstOffset: '1' },
      { producerId: '1', firstOffset: '0' },
    ]
    const offsets = filterAbortedMessages({ messages, abortedTransactions }).map(({ offset }) => offset)
    expect(offsets).toContain('0')
    const filter = new AbortedTransactions([
      { producerId: 2n, firstOffset: 1 },
      { producerId: 1n, firstOffset: 0 },
    ])
    expect(filter.covers({ producerId: 1n, lastOffset: 0, transactional: true, marker: null })).toBe(true)
  })

  test('leaks what follows an aborted record whose key is the four bytes 00 00 00 00', () => {
    const messages = [message(0, 1, abortKey), message(1, 1, null), message(2, 1, abortKey, true)]
    const abortedTransactions = [{ producerId: '1', firstOffset: '0' }]
    const offsets = filterAbortedMessages({ messages, abortedTransactions }).map(({ offset }) => offset)
    expect(offsets).toContain('1')
  })
})
