import { fc, test as property } from '@fast-check/vitest'
import * as E from 'fp-ts/lib/Either.js'
import type { Type } from 'io-ts'
import { describe, expect, test } from 'vitest'
import {
  bytes,
  choice,
  durationMs,
  flag,
  hostPorts,
  integer,
  recordPosition,
  text,
} from '../../src/core/settingCodecs.ts'

function read<A>(codec: Type<A, string, string>, input: string): A | string {
  const decoded = codec.decode(input)
  return E.isRight(decoded) ? decoded.right : `refused: ${decoded.left[0]?.message ?? ''}`
}

const refused = expect.stringMatching(/^refused: ./)

describe('text', () => {
  test('is trimmed and never empty', () => {
    expect(read(text, ' orders ')).toBe('orders')
    expect(read(text, '  ')).toEqual(refused)
  })
})

describe('integer', () => {
  test.each([
    ['3', 3],
    ['+3', 3],
    ['-3', -3],
    [' 12 ', 12],
  ])('reads %j', (input, value) => {
    expect(read(integer(), input)).toBe(value)
  })

  test.each(['', '3.5', '1e3', '0x10', '9007199254740993', 'Infinity', '3 apples'])('refuses %j', (input) => {
    expect(read(integer(), input)).toEqual(refused)
  })

  test('says its limits when it refuses', () => {
    expect(read(integer({ min: 1, max: 9 }), '10')).toBe('refused: an integer of at least 1 and at most 9')
    expect(read(integer({ min: 1, max: 9 }), '9')).toBe(9)
    expect(read(integer({ max: 9 }), '10')).toBe('refused: an integer of at most 9')
  })
})

describe('durationMs and bytes', () => {
  test.each([
    ['30000', 30_000],
    ['500 ms', 500],
    ['30s', 30_000],
    ['5 min', 300_000],
    ['1h', 3_600_000],
    ['2 D', 172_800_000],
  ])('a duration of %j is %d ms', (input, ms) => {
    expect(read(durationMs(), input)).toBe(ms)
  })

  test.each(['-1', '1.5s', '5 m', 's', '1 constructor', '99999999999999999'])(
    'a duration of %j is refused',
    (input) => {
      expect(read(durationMs(), input)).toEqual(refused)
    },
  )

  test('a duration below its least value is refused', () => {
    expect(read(durationMs({ minMs: 1 }), '0')).toEqual(refused)
  })

  test.each([
    ['1024', 1024],
    ['16 MiB', 16_777_216],
    ['1kib', 1024],
  ])('a size of %j is %d bytes', (input, size) => {
    expect(read(bytes(), input)).toBe(size)
  })
})

describe('choice', () => {
  const shape = choice(['action', 'single-key'], { reconsile: 'action' })

  test('takes its words and their aliases in any case', () => {
    expect(read(shape, 'action')).toBe('action')
    expect(read(shape, 'Single-Key')).toBe('single-key')
    expect(read(shape, 'reconsile')).toBe('action')
  })

  test('lists words and aliases when it refuses', () => {
    expect(read(shape, '__proto__')).toBe('refused: one of action, single-key (also spelt reconsile)')
  })
})

test('flag takes the usual words and nothing else', () => {
  expect(['true', 'yes', 'ON'].map((input) => read(flag, input))).toEqual([true, true, true])
  expect(['false', 'no', 'off'].map((input) => read(flag, input))).toEqual([false, false, false])
  expect(read(flag, '1')).toEqual(refused)
})

describe('hostPorts', () => {
  test('reads hosts, IPv6 hosts in brackets, and the default port', () => {
    expect(read(hostPorts(9092), 'a:1, [::1]:2,b.example')).toEqual([
      { host: 'a', port: 1 },
      { host: '::1', port: 2 },
      { host: 'b.example', port: 9092 },
    ])
  })

  test.each(['', 'a:1,,b:2', 'a', 'a:0', 'a:65536', 'http://a:1', 'user@a:1', 'a:b'])('refuses %j', (input) => {
    expect(read(hostPorts(), input)).toEqual(refused)
  })

  property.prop([
    fc.array(fc.record({ host: fc.domain(), port: fc.integer({ min: 1, max: 65_535 }) }), { minLength: 1 }),
  ])('reads what it writes', (addresses) => {
    expect(read(hostPorts(), hostPorts().encode(addresses))).toEqual(addresses)
  })
})

describe('recordPosition', () => {
  test.each(['orders:3@120', 'a.b-c_d:0@0', 'orders:12@9007199254740991'])('reads and writes %j', (input) => {
    const position = recordPosition.decode(input)
    expect(E.isRight(position) ? recordPosition.encode(position.right) : position).toBe(input)
  })

  test.each([
    'orders',
    'orders:3',
    'orders@3',
    'orders:3@',
    'orders:-1@3',
    'orders:1@-3',
    'orders:x@3',
    ':1@3',
    'or ders:1@3',
    '..:1@3',
    'orders:1@9007199254740993',
    'orders:1@3@4',
    'orders 3@120',
  ])('refuses %j', (input) => {
    expect(read(recordPosition, input)).toEqual(refused)
  })
})
