import * as E from 'fp-ts/lib/Either.js'
import { describe, expect, it, test } from 'vitest'
import { fromOffsets, fromTimestamp, startMode } from '../../src/core/startMode.ts'

const read = (input: string): unknown => {
  const decoded = startMode.decode(input)
  return E.isRight(decoded) ? decoded.right : `refused: ${decoded.left[0]?.message ?? ''}`
}

const refused = expect.stringMatching(/^refused: ./)

describe('startMode', () => {
  test.each([
    ['committed', { kind: 'committed' }],
    ['earliest', { kind: 'earliest' }],
    ['committed:earliest', { kind: 'earliest' }],
    ['committed:latest', { kind: 'latest' }],
    ['LATEST', { kind: 'latest' }],
    ['timestamp:2026-01-31T08:00:00Z', { kind: 'timestamp', timestampMs: Date.UTC(2026, 0, 31, 8) }],
    ['timestamp:2026-01-31T08:00:00.5+02:00', { kind: 'timestamp', timestampMs: Date.UTC(2026, 0, 31, 6, 0, 0, 500) }],
    ['timestamp:2026-01-31', { kind: 'timestamp', timestampMs: Date.UTC(2026, 0, 31) }],
    [
      'offsets:0=12,1=40',
      {
        kind: 'offsets',
        offsets: new Map([
          [0, 12],
          [1, 40],
        ]),
      },
    ],
  ])('reads %j', (input, mode) => {
    expect(read(input)).toEqual(mode)
  })

  test.each([
    'first',
    'timestamp:2026-01-31T08:00:00',
    'timestamp:yesterday',
    'timestamp:2026-13-01',
    'offsets:',
    'offsets:0=1,0=2',
    'offsets:0=-1',
    'offsets:0=99999999999999999',
  ])('refuses %j', (input) => {
    expect(read(input)).toEqual(refused)
  })

  test.each(['committed', 'earliest', 'latest', 'timestamp:2026-01-31T08:00:00.000Z', 'offsets:0=12,1=40'])(
    'writes %j as it reads it',
    (input) => {
      const mode = startMode.decode(input)
      expect(E.isRight(mode) ? startMode.encode(mode.right) : mode).toBe(input)
    },
  )
})

describe('fromTimestamp', () => {
  const timestampMs = Date.UTC(2026, 0, 31, 8)

  it.each([timestampMs, new Date(timestampMs), '2026-01-31T08:00:00Z', '2026-01-31T10:00+02:00'])(
    'takes %j',
    (time) => {
      expect(fromTimestamp(time)).toEqual({ kind: 'timestamp', timestampMs })
    },
  )

  it.each([-1, 0.5, NaN, 9e15, new Date(NaN), '2026-01-31T08:00:00', 'yesterday'])('refuses %j', (time) => {
    expect(() => fromTimestamp(time)).toThrow(
      /^fromTimestamp: option time must be a Date, ms since 1970 or an ISO time/,
    )
  })
})

describe('fromOffsets', () => {
  it('takes offsets by partition', () => {
    expect(startMode.encode(fromOffsets({ 0: 12, 3: 0 }))).toBe('offsets:0=12,3=0')
  })

  it.each([{}, { 0: -1 }, { 0: 0.5 }, { 0: 2 ** 53 }, { [-1]: 0 }])('refuses %j', (offsets) => {
    expect(() => fromOffsets(offsets)).toThrow(/^fromOffsets: option offsets must be .*; for example fromOffsets/)
  })
})
