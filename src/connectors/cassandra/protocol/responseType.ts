import { TidemarkError } from '../../../core/errors.ts'
import { innerTypes, type CqlType, type NativeTypeName, type UdtField } from '../../../tables/cqlType.ts'
import { isJsonObject } from '../../../codecs/json/jsonNumber.ts'

/** A column's type as the driver reads it from a response. */
export interface ResponseType {
  readonly code: number
  /** The types inside, or the class name of a type that the protocol version has no code for. */
  readonly info?: unknown
}

/** The codes of Cassandra's native protocol. */
const nativeCodes: ReadonlyMap<number, NativeTypeName> = new Map([
  [1, 'ascii'],
  [2, 'bigint'],
  [3, 'blob'],
  [4, 'boolean'],
  [5, 'counter'],
  [6, 'decimal'],
  [7, 'double'],
  [8, 'float'],
  [9, 'int'],
  [10, 'text'],
  [11, 'timestamp'],
  [12, 'uuid'],
  [13, 'text'],
  [14, 'varint'],
  [15, 'timeuuid'],
  [16, 'inet'],
  [17, 'date'],
  [18, 'time'],
  [19, 'smallint'],
  [20, 'tinyint'],
  [21, 'duration'],
])
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

const nativeClasses: ReadonlyMap<string, NativeTypeName> = new Map([
  ['AsciiType', 'ascii'],
  ['LongType', 'bigint'],
  ['BytesType', 'blob'],
  ['BooleanType', 'boolean'],
  ['CounterColumnType', 'counter'],
  ['SimpleDateType', 'date'],
  ['DecimalType', 'decimal'],
  ['DoubleType', 'double'],
  ['DurationType', 'duration'],
  ['FloatType', 'float'],
  ['InetAddressType', 'inet'],
  ['Int32Type', 'int'],
  ['ShortType', 'smallint'],
  ['UTF8Type', 'text'],
  ['TimeType', 'time'],
  ['TimestampType', 'timestamp'],
  ['TimeUUIDType', 'timeuuid'],
  ['ByteType', 'tinyint'],
  ['UUIDType', 'uuid'],
  ['IntegerType', 'varint'],
])

/** A token: a word, or one of the marks between words. */
const token = /\s*([^\s(),:]+|[(),:])/y

/**
 * The type that a class name of Cassandra's server stands for: how protocol version 4 names durations and vectors. Throws
 * `invalid-input` for a class that is no CQL type.
 */
function typeOfClassName(className: string): CqlType {
  return new ClassNameParser(className).parse()
}

class ClassNameParser {
  readonly #text: string
  readonly #tokens: readonly string[]
  #at = 0

  constructor(text: string) {
    this.#text = text
    this.#tokens = [...text.matchAll(new RegExp(token, 'gy'))].map(([, word = '']) => word)
  }

  parse(): CqlType {
    const type = this.#type()
    if (this.#at !== this.#tokens.length) throw this.#unknown()
    return type
  }

  #unknown(): TidemarkError {
    const shown = this.#text.length > 200 ? `${this.#text.slice(0, 200)}…` : this.#text
    return new TidemarkError('invalid-input', `${JSON.stringify(shown)} is not a type that Tidemark knows.`)
  }

  #next(): string {
    const next = this.#tokens[this.#at]
    if (next === undefined) throw this.#unknown()
    this.#at += 1
    return next
  }

  #expect(mark: string): void {
    if (this.#next() !== mark) throw this.#unknown()
  }

  #type(): CqlType {
    const name = this.#next().replace(/^org\.apache\.cassandra\.db\.marshal\./, '')
    const native = nativeClasses.get(name)
    if (native !== undefined) return { kind: 'native', name: native }
    this.#expect('(')
    const type = this.#parametric(name)
    this.#expect(')')
    return type
  }

  #parametric(name: string): CqlType {
    switch (name) {
      case 'FrozenType':
      case 'ReversedType':
        return this.#type()
      case 'ListType':
        return { kind: 'list', element: this.#type(), frozen: true }
      case 'SetType':
        return { kind: 'set', element: this.#type(), frozen: true }
      case 'MapType': {
        const key = this.#type()
        this.#expect(',')
        return { kind: 'map', key, value: this.#type(), frozen: true }
      }
      case 'TupleType': {
        const elements = [this.#type()]
        while (this.#more()) elements.push(this.#type())
        return { kind: 'tuple', elements }
      }
      case 'VectorType': {
        const element = this.#type()
        this.#expect(',')
        return { kind: 'vector', element, dimensions: Number(this.#next()) }
      }
      case 'UserType':
        return this.#userType()
      default:
        throw this.#unknown()
    }
  }

  #userType(): CqlType {
    this.#next()
    this.#expect(',')
    const name = ofHex(this.#next())
    const fields: UdtField[] = []
    while (this.#more()) {
      const field = ofHex(this.#next())
      this.#expect(':')
      fields.push({ name: field, type: this.#type() })
    }
    return { kind: 'udt', name, fields, frozen: true }
  }

  /** Steps over a comma. */
  #more(): boolean {
    if (this.#tokens[this.#at] !== ',') return false
    this.#at += 1
    return true
  }
}

function ofHex(hex: string): string {
  return Buffer.from(hex, 'hex').toString('utf8')
}
