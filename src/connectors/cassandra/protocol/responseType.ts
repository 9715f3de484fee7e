import { TidemarkError } from '../../../core/errors.ts'
import { innerTypes, type CqlType, type NativeTypeName } from '../../../tables/cqlType.ts'
import { isJsonObject } from '../../../codecs/json/jsonNumber.ts'

/** A column's type as the driver reads it from a response. */
export interface ResponseType {
  readonly code: number
  /** The types inside, or the class name of a type that the protocol version has no code for. */
  readonly info?: unknown
}

/** The native types: their codes in the native protocol, and their classes in the server. */
const natives: readonly (readonly [code: number, className: string, name: NativeTypeName])[] = [
  [1, 'AsciiType', 'ascii'],
  [2, 'LongType', 'bigint'],
  [3, 'BytesType', 'blob'],
  [4, 'BooleanType', 'boolean'],
  [5, 'CounterColumnType', 'counter'],
  [6, 'DecimalType', 'decimal'],
  [7, 'DoubleType', 'double'],
  [8, 'FloatType', 'float'],
  [9, 'Int32Type', 'int'],
  [10, 'UTF8Type', 'text'],
  [11, 'TimestampType', 'timestamp'],
  [12, 'UUIDType', 'uuid'],
  [13, 'UTF8Type', 'text'],
  [14, 'IntegerType', 'varint'],
  [15, 'TimeUUIDType', 'timeuuid'],
  [16, 'InetAddressType', 'inet'],
  [17, 'SimpleDateType', 'date'],
  [18, 'TimeType', 'time'],
  [19, 'ShortType', 'smallint'],
  [20, 'ByteType', 'tinyint'],
  [21, 'DurationType', 'duration'],
]
const nativeCodes: ReadonlyMap<number, NativeTypeName> = new Map(natives.map(([code, , name]) => [code, name]))
const nativeClasses: ReadonlyMap<string, NativeTypeName> = new Map(
  natives.map(([, className, name]) => [className, name]),
)
const code = { custom: 0, list: 32, map: 33, set: 34, udt: 48, tuple: 49 }

/**
 * The type of a column of a response. The protocol does not say what is frozen; all is taken as frozen, and a column
 * without a value has no bytes in either case. Throws `invalid-input` for a type that is not one of CQL's.
 */
export function typeOfResponse(type: ResponseType): CqlType {
  const native = nativeCodes.get(type.code)
  if (native !== undefined) return { kind: 'native', name: native }
  const { info } = type
  switch (type.code) {
    case code.custom:
      if (typeof info === 'string') return typeOfClassName(info)
      break
    case code.list:
      return { kind: 'list', element: inner(info), frozen: true }
    case code.set:
      return { kind: 'set', element: inner(info), frozen: true }
    case code.map: {
      const [key, value] = array(info)
      return { kind: 'map', key: inner(key), value: inner(value), frozen: true }
    }
    case code.tuple:
      return { kind: 'tuple', elements: array(info).map(inner) }
    case code.udt:
      if (isJsonObject(info)) {
        const fields = array(info['fields']).map((field) =>
          isJsonObject(field) ? { name: String(field['name']), type: inner(field['type']) } : refuse(field),
        )
        return { kind: 'udt', name: String(info['name']), fields, frozen: true }
      }
      break
  }
  return refuse(type)
}

function inner(info: unknown): CqlType {
  if (isJsonObject(info) && typeof info['code'] === 'number') {
    return typeOfResponse({ code: info['code'], info: info['info'] })
  }
  return refuse(info)
}

function array(info: unknown): readonly unknown[] {
  return Array.isArray(info) ? (info as readonly unknown[]) : refuse(info)
}

function refuse(info: unknown): never {
  throw new TidemarkError('invalid-input', `A column has a type that Tidemark does not know: ${JSON.stringify(info)}`)
}

/** Compiles the question whether a response's column has the type that the table is known to have. */
export function responseTypeCheck(expected: CqlType): (type: ResponseType) => boolean {
  if (expected.kind === 'native' && expected.name !== 'duration') {
    return (type) => nativeCodes.get(type.code) === expected.name
  }
  // A type is spelt in a text only by its class name: the same text is the same type, and needs no second look.
  let seen: unknown
  return (type) => {
    if (type.code === code.custom && type.info === seen) return true
    if (!isSameType(expected, typeOfResponse(type))) return false
    if (type.code === code.custom) seen = type.info
    return true
  }
}

/** Equal but for what is frozen. */
function isSameType(a: CqlType, b: CqlType): boolean {
  const [ofA, ofB] = [innerTypes(a), innerTypes(b)]
  if (a.kind !== b.kind || ofA.length !== ofB.length || !hasSameNames(a, b)) return false
  return ofA.every((type, at) => isSameType(type, ofB[at] ?? type))
}

/** Whether two types say the same besides the types inside them. */
function hasSameNames(a: CqlType, b: CqlType): boolean {
  if (a.kind === 'native') return b.kind === 'native' && a.name === b.name
  if (a.kind === 'vector') return b.kind === 'vector' && a.dimensions === b.dimensions
  if (a.kind !== 'udt') return true
  return b.kind === 'udt' && a.name === b.name && a.fields.every(({ name }, at) => name === b.fields[at]?.name)
}

/** A word of a class name of the server's, with what stands in the brackets after it. */
interface ClassPart {
  readonly word: string
  readonly parts: readonly ClassPart[]
  /** What stands before it and a colon: the name of a field, in hexadecimal; else empty. */
  readonly label: string
}

/**
 * The type that a class name of Cassandra's server stands for: how protocol version 4 names durations and vectors. Throws
 * `invalid-input` for a class that is no CQL type.
 */
function typeOfClassName(className: string): CqlType {
  const tokens = className.match(/[^\s(),:]+|[(),:]/g) ?? []
  const unknown = (): never => {
    const shown = className.length > 200 ? `${className.slice(0, 200)}…` : className
    throw new TidemarkError('invalid-input', `${JSON.stringify(shown)} is not a type that Tidemark knows.`)
  }
  let at = 0
  const next = (): string => {
    at += 1
    return tokens[at - 1] ?? unknown()
  }
  const part = (label = ''): ClassPart => {
    const word = next()
    if (tokens[at] === ':') {
      at += 1
      return part(word)
    }
    const parts: ClassPart[] = []
    if (tokens[at] !== '(') return { word, parts, label }
    do {
      at += 1
      parts.push(part())
    } while (tokens[at] === ',')
    return next() === ')' ? { word, parts, label } : unknown()
  }
  const whole = part()
  return at === tokens.length ? typeOfPart(whole, unknown) : unknown()
}

function typeOfPart({ word, parts }: ClassPart, unknown: () => never): CqlType {
  const name = word.replace(/^org\.apache\.cassandra\.db\.marshal\./, '')
  const native = nativeClasses.get(name)
  if (native !== undefined && parts.length === 0) return { kind: 'native', name: native }
  const typeOf = (part: ClassPart): CqlType => typeOfPart(part, unknown)
  const [first, second, ...others] = parts
  if (first === undefined) return unknown()
  if (name === 'TupleType') return { kind: 'tuple', elements: parts.map(typeOf) }
  if (second === undefined) {
    if (name === 'FrozenType' || name === 'ReversedType') return typeOf(first)
    if (name === 'ListType') return { kind: 'list', element: typeOf(first), frozen: true }
    return name === 'SetType' ? { kind: 'set', element: typeOf(first), frozen: true } : unknown()
  }
  if (name === 'UserType') {
    const fields = others.map((field) => ({ name: ofHex(field.label), type: typeOf(field) }))
    return { kind: 'udt', name: ofHex(second.word), fields, frozen: true }
  }
  if (others.length > 0) return unknown()
  if (name === 'MapType') return { kind: 'map', key: typeOf(first), value: typeOf(second), frozen: true }
  return name === 'VectorType' ? { kind: 'vector', element: typeOf(first), dimensions: Number(second.word) } : unknown()
}

function ofHex(hex: string): string {
  return Buffer.from(hex, 'hex').toString('utf8')
}
