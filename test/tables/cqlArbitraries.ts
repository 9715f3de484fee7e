import { fc } from '@fast-check/vitest'
import { nativeTypeNames } from '../../src/tables/cqlType.ts'
import type { CqlType, NativeTypeName } from '../../src/tables/cqlType.ts'
import { JsonNumber } from '../../src/codecs/json/jsonNumber.ts'

/** A type with values that convert to it, in any spelling that is read. */
export interface TypedValue {
  readonly type: CqlType
  readonly value: unknown
}

export const wellFormedText = fc.string({ unit: 'binary' })
/** Names that break naive code, and any other. */
export const hostileName = fc.oneof(
  fc.constantFrom(
    '__proto__',
    'constructor',
    'a"b',
    "x'; DROP TABLE y; --",
    'line\nbreak',
    '0',
    'Ünï',
    '\u{1f600}',
    '\0',
  ),
  fc.string({ unit: 'binary', minLength: 1, maxLength: 12 }),
)

/** An integer as a JSON number, as a number kept by its source, or as a string. */
function spelledInteger(number: bigint): fc.Arbitrary<unknown> {
  const source = String(number)
  const spellings: unknown[] = [source, new JsonNumber(source)]
  if (String(Number(number)) === source) spellings.push(Number(number))
  return fc.constantFrom(...spellings)
}

const integers = (min: bigint, max: bigint): fc.Arbitrary<unknown> => fc.bigInt({ min, max }).chain(spelledInteger)
const int64 = integers(-(2n ** 63n), 2n ** 63n - 1n)
const pad = (number: number, digits: number): string => String(number).padStart(digits, '0')
const fraction = fc.stringMatching(/^[0-9]{1,9}$/)
const date = fc
  .date({ min: new Date('0001-01-01T00:00:00Z'), max: new Date('9999-12-30T00:00:00Z'), noInvalidDate: true })
  .map((moment) => moment.toISOString())
const uuid = fc.tuple(fc.uuid(), fc.boolean()).map(([text, isUpper]) => (isUpper ? text.toUpperCase() : text))
const decimal = fc
  .tuple(fc.bigInt(-(10n ** 40n), 10n ** 40n), fc.integer({ min: -400, max: 400 }), fc.constantFrom('e', 'E', 'E+'))
  .map(([unscaled, scale, e]) => `${String(unscaled)}${scale < 0 ? `E${String(scale)}` : `${e}${String(scale)}`}`)

const natives: Readonly<Record<NativeTypeName, fc.Arbitrary<unknown>>> = {
  ascii: fc.string({ unit: 'binary-ascii' }),
  bigint: int64,
  blob: fc.uint8Array().map((bytes) => `0x${Buffer.from(bytes).toString('hex')}`),
  boolean: fc.boolean(),
  counter: int64,
  date: fc.oneof(
    date.map((text) => text.slice(0, 10)),
    fc.constantFrom('-5877641-06-23', '+5881580-07-11', '+10000-01-01', '-0001-12-31'),
  ),
  decimal,
  double: fc.oneof(fc.double(), fc.constantFrom('NaN', 'Infinity', '-Infinity', '1.50', new JsonNumber('-0'))),
  duration: fc
    .record({
      negative: fc.boolean(),
      months: fc.nat(2 ** 31 - 1),
      days: fc.nat(2 ** 31 - 1),
      ns: fc.bigInt(0n, 2n ** 63n - 1n),
    })
    .map(
      ({ negative, months, days, ns }) => `${negative ? '-' : ''}${String(months)}mo${String(days)}d${String(ns)}ns`,
    ),
  float: fc.oneof(fc.float(), fc.constantFrom('NaN', 'Infinity', '-Infinity', '0.1', new JsonNumber('-0'))),
  inet: fc.oneof(fc.ipV4(), fc.ipV6()),
  int: integers(-(2n ** 31n), 2n ** 31n - 1n),
  smallint: integers(-(2n ** 15n), 2n ** 15n - 1n),
  text: wellFormedText,
  time: fc
    .tuple(fc.nat(23), fc.nat(59), fc.nat(59), fc.option(fraction))
    .map(([h, m, s, f]) => `${pad(h, 2)}:${pad(m, 2)}:${pad(s, 2)}${f === null ? '' : `.${f}`}`),
  timestamp: fc.oneof(
    date,
    date.map((text) => text.replace(/\.[0-9]{3}Z/, '+05:30')),
    int64.filter((value) => typeof value !== 'string'),
  ),
  timeuuid: fc.uuid({ version: 1 }),
  tinyint: integers(-128n, 127n),
  uuid,
  varint: fc.bigInt(-(10n ** 80n), 10n ** 80n).chain(spelledInteger),
}

export function nativeType(name: NativeTypeName): CqlType {
  return { kind: 'native', name }
}

function nativeValues(names: readonly NativeTypeName[]): fc.Arbitrary<readonly TypedValue[]> {
  return fc.constantFrom(...names).chain((name) => several(nativeType(name), natives[name]))
}

/** Some values of one type. */
function several(type: CqlType, values: fc.Arbitrary<unknown>): fc.Arbitrary<readonly TypedValue[]> {
  return fc.array(values, { minLength: 1, maxLength: 4 }).map((list) => list.map((value) => ({ type, value })))
}

const typeOf = ([first]: readonly TypedValue[]): CqlType => first?.type ?? nativeType('text')
const valuesOf = (typed: readonly TypedValue[]): readonly unknown[] => typed.map(({ value }) => value)

/** Composite types over values of one type each. */
function composite(inner: fc.Arbitrary<readonly TypedValue[]>): fc.Arbitrary<TypedValue> {
  const sequence = fc.tuple(fc.constantFrom('list', 'set'), inner).map(([kind, typed]) => ({
    type: { kind, element: typeOf(typed), frozen: true } as const,
    value: valuesOf(typed),
  }))
  const vector = inner.map((typed) => ({
    type: { kind: 'vector', element: typeOf(typed), dimensions: typed.length } as const,
    value: valuesOf(typed),
  }))
  const tuple = fc.array(fc.tuple(inner, fc.boolean()), { minLength: 1, maxLength: 3 }).map((parts) => ({
    type: { kind: 'tuple', elements: parts.map(([typed]) => typeOf(typed)) } as const,
    value: parts.map(([typed, isNull]) => (isNull ? null : typed[0]?.value)),
  }))
  const map = fc
    .tuple(nativeValues(nativeTypeNames.filter((name) => name !== 'duration')), inner)
    .map(([keys, values]) => ({
      type: { kind: 'map', key: typeOf(keys), value: typeOf(values), frozen: true } as const,
      value: [[keys[0]?.value, values[0]?.value]],
    }))
  const udt = fc
    .uniqueArray(fc.tuple(hostileName, inner, fc.boolean()), { minLength: 1, maxLength: 3, selector: ([name]) => name })
    .map((parts) => ({
      type: {
        kind: 'udt',
        name: 'u',
        fields: parts.map(([name, typed]) => ({ name, type: typeOf(typed) })),
        frozen: true,
      } as const,
      value: Object.fromEntries(parts.map(([name, typed, isNull]) => [name, isNull ? null : typed[0]?.value])),
    }))
  return fc.oneof(sequence, vector, tuple, map, udt)
}

/** Values of one native type. */
export function nativeValue(name: NativeTypeName): fc.Arbitrary<unknown> {
  return natives[name]
}

const anyNative = nativeValues(nativeTypeNames)
const shallow = composite(anyNative)

/** A value of any type, up to two levels of composition. */
export const typedValue: fc.Arbitrary<TypedValue> = fc.oneof(
  anyNative.map(([first]) => first ?? { type: nativeType('text'), value: '' }),
  shallow,
  composite(shallow.map((typed) => [typed])),
)
