import { fc, test as property } from '@fast-check/vitest'
import { describe, expect, test } from 'vitest'
import { containsType, formatCqlType, nativeTypeNames, quoteIdentifier } from '../../src/tables/cqlType.ts'
import type { UdtType } from '../../src/tables/cqlType.ts'
import { parseCqlType } from '../../src/tables/parseCqlType.ts'
import { TidemarkError } from '../../src/core/errors.ts'
import { hostileName } from './cqlArbitraries.ts'

const address: UdtType = {
  kind: 'udt',
  name: 'address',
  fields: [{ name: 'zip', type: { kind: 'native', name: 'int' } }],
  frozen: false,
}

describe('parseCqlType', () => {
  test.each(nativeTypeNames)('reads %s in any case', (name) => {
    expect(parseCqlType(name)).toEqual({ kind: 'native', name })
    expect(parseCqlType(` ${name.toUpperCase()} `)).toEqual({ kind: 'native', name })
  })

  test('takes varchar for text', () => {
    expect(formatCqlType(parseCqlType('list<varchar>'))).toBe('list<text>')
  })

  test.each([
    ['map<text,list<int>>', 'map<text, frozen<list<int>>>'],
    ['frozen< set < uuid > >', 'frozen<set<uuid>>'],
    ['Tuple<Int,\nText,Set<int>>', 'tuple<int, text, frozen<set<int>>>'],
    ['vector<float, 3>', 'vector<float, 3>'],
    ['frozen<tuple<int>>', 'tuple<int>'],
    ['list<duration>', 'list<duration>'],
  ])('reads %j, taking what is inside another type as frozen', (text, formatted) => {
    const type = parseCqlType(text)
    expect(formatCqlType(type)).toBe(formatted)
    expect(parseCqlType(formatted)).toEqual(type)
  })

  test('reads user-defined types by name, quoted where the name needs it', () => {
    const udts = new Map([
      ['address', address],
      ['Odd "one"', { ...address, name: 'Odd "one"' }],
    ])
    expect(parseCqlType('ADDRESS', udts)).toEqual(address)
    expect(parseCqlType('frozen<address>', udts)).toEqual({ ...address, frozen: true })
    expect(formatCqlType(parseCqlType('list<"Odd ""one""">', udts))).toBe('list<frozen<"Odd ""one""">>')
  })

  test.each([
    '',
    ' ',
    'strin',
    'list',
    'list<',
    'list<>',
    'list<int',
    'list<int>>',
    'list<int,int>',
    'map<int>',
    'set<duration>',
    'map<tuple<duration>,int>',
    'list<counter>',
    'tuple<>',
    'tuple<int,>',
    'vector<float>',
    'vector<float,0>',
    'vector<float,8193>',
    'vector<float,x>',
    'vector<3,float>',
    'frozen<int>',
    'int;',
    'int int',
    '"int"',
    "'org.example.Type'",
    '__proto__',
    'constructor',
    'address',
    `${'list<'.repeat(40)}int${'>'.repeat(40)}`,
    ' '.repeat(5_000),
    '<',
    'é',
  ])('refuses %j', (text) => {
    expect(() => parseCqlType(text)).toThrow(expect.objectContaining({ code: 'invalid-input' }))
  })

  test('says what is wrong and where', () => {
    expect(() => parseCqlType('map<text, itn>')).toThrow(
      '"map<text, itn>" is not a CQL type: no type has the name "itn", at character 10.',
    )
  })

  property.prop([
    fc.string({
      unit: fc.constantFrom('list', 'map', 'int', 'frozen', '<', '>', ',', ' ', '3', '"', 'x'),
      maxLength: 30,
    }),
  ])('reads hostile text or refuses it with invalid-input', (text) => {
    try {
      const type = parseCqlType(text)
      expect(parseCqlType(formatCqlType(type))).toEqual(type)
    } catch (error) {
      expect(error).toBeInstanceOf(TidemarkError)
      expect(error).toMatchObject({ code: 'invalid-input' })
    }
  })
})

describe('containsType', () => {
  test('looks at a part once, however often it is used', () => {
    let type: UdtType = address
    for (let level = 0; level < 60; level += 1) {
      type = {
        ...address,
        fields: [
          { name: 'a', type },
          { name: 'b', type },
        ],
      }
    }
    expect(containsType(type, 'duration')).toBe(false)
    expect(containsType(type, 'int')).toBe(true)
  })
})

describe('quoteIdentifier', () => {
  property.prop([hostileName])('encloses any name so that only its own closing quote ends it', (name) => {
    const quoted = quoteIdentifier(name)
    expect(quoted).toMatch(/^"(?:[^"]|"")*"$/)
    expect(quoted.slice(1, -1).replaceAll('""', '"')).toBe(name)
  })
})
