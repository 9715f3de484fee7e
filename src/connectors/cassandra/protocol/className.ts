import { TidemarkError } from '../../../core/errors.ts'
import type { CqlType, NativeTypeName, UdtField } from '../../../tables/cqlType.ts'

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
export function typeOfClassName(className: string): CqlType {
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
