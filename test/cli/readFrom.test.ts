import * as E from 'fp-ts/lib/Either.js'
import { expect, test } from 'vitest'
import { readFrom } from '../../src/cli/commands/readRecords.ts'

test.each([
  ['earliest', { kind: 'earliest' }],
  ['Latest', { kind: 'latest' }],
  ['12', { kind: 'offset', offset: 12 }],
  ['2026-11-01T08:00:00Z', { kind: 'timestamp', timestampMs: Date.UTC(2026, 10, 1, 8) }],
  ['timestamp:2026-11-01', { kind: 'timestamp', timestampMs: Date.UTC(2026, 10, 1) }],
])('%j is a place to read from', (text, expected) => {
  expect(readFrom.decode(text)).toEqual(E.right(expected))
})

test.each(['', '-1', '1.5', 'first', 'committed', 'committed:earliest', 'offsets:0=1', '2026-11-01T08:00:00'])(
  '%j is refused',
  (text) => {
    expect(E.isLeft(readFrom.decode(text))).toBe(true)
  },
)
