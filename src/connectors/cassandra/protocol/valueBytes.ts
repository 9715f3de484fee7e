import { isJsonObject } from '../../../codecs/json/jsonNumber.ts'
import { compiledOnce, type CqlType, type MapType, type NativeTypeName } from '../../../tables/cqlType.ts'
import { ownMember, valueCodec } from '../../../tables/valueCodec.ts'
import {
  nativeDecoders,
  nativeEncoders,
  notCanonical,
  encodeUnsignedVint,
  decodeUnsignedVint,
  type ByteDecoder,
  type ByteEncoder,
} from './nativeBytes.ts'

/**
 * The bytes that Cassandra's native protocol (version 3 and later) has for a value of the row encoding, given as the JSON
 * value of its canonical text. Each type object is compiled once. Throws `broken-invariant` for what is not canonical.
 */
const byteEncoder: (type: CqlType) => ByteEncoder = compiledOnce(compileEncoder)

/** The bytes of a canonical text that is not `null`. */
export function encodeCanonical(type: CqlType, text: string): Buffer {
  return byteEncoder(type)(jsonOf(text))
}

/** Most texts are a string with nothing escaped, for which there is no need to parse. */
function jsonOf(text: string): unknown {
  return text.startsWith('"') && !text.includes('\\') ? text.slice(1, -1) : (JSON.parse(text) as unknown)
}

/** Values one after the other, each after its length; -1 stands for null. `start` bytes are left free before them. */
function withLengths(values: readonly (Buffer | null)[], start = 0): Buffer {
  let length = start
  for (const value of values) length += 4 + (value?.length ?? 0)
  const bytes = Buffer.allocUnsafe(length)
  let at = start
  for (const value of values) {
    at = bytes.writeInt32BE(value?.length ?? -1, at)
    if (value !== null) at += value.copy(bytes, at)
  }
  return bytes
}

/** A list of values that are bytes already: what is bound for `IN ?`. */
export function encodeList(values: readonly Buffer[]): Buffer {
  const bytes = withLengths(values, 4)
  bytes.writeInt32BE(values.length)
  return bytes
}

function compileEncoder(type: CqlType): ByteEncoder {
  switch (type.kind) {
    case 'native':
      return nativeEncoders[type.name]
    case 'list':
    case 'set': {
      const encode = byteEncoder(type.element)
      return (value) => encodeList(elements(value).map(encode))
    }
    case 'map':
      return mapEncoder(type)
    case 'tuple': {
      const encodeElements = type.elements.map((element) => orNull(byteEncoder(element)))
      return (value) => {
        const parts = elements(value)
        return withLengths(encodeElements.map((encode, index) => encode(parts[index])))
      }
    }
    case 'udt': {
      const fields = type.fields.map((field) => ({ name: field.name, encode: orNull(byteEncoder(field.type)) }))
      return (value) => {
        if (!isJsonObject(value)) throw notCanonical(type.kind)
        return withLengths(fields.map(({ name, encode }) => encode(ownMember(value, name))))
      }
    }
    case 'vector': {
      const encode = byteEncoder(type.element)
      if (fixedWidth(type.element) !== undefined) return (value) => Buffer.concat(elements(value).map(encode))
      return (value) =>
        Buffer.concat(
          elements(value).flatMap((element) => {
            const bytes = encode(element)
            return [encodeUnsignedVint(BigInt(bytes.length)), bytes]
          }),
        )
    }
  }
}

function mapEncoder(type: MapType): ByteEncoder {
  const key = byteEncoder(type.key)
  const value = byteEncoder(type.value)
  // In an object the keys are plain texts; their JSON is what they would be on their own.
  const { json } = valueCodec(type.key)
  return (input) => {
    const entries = isJsonObject(input)
      ? Object.entries(input).map(([name, entry]): readonly unknown[] => [jsonOf(json(name)), entry])
      : elements(input).map(elements)
    const bytes = withLengths(
      entries.flatMap(([keyValue, entry]) => [key(keyValue), value(entry)]),
      4,
    )
    bytes.writeInt32BE(entries.length)
    return bytes
  }
}

function orNull(encode: ByteEncoder): (value: unknown) => Buffer | null {
  return (value) => (value === null || value === undefined ? null : encode(value))
}

function elements(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value as readonly unknown[]
  throw notCanonical('collection')
}

/**
 * The decoder of a type; each type object is compiled once. What it gives is for the conversions of `src/tables`.
 * Throws RangeError for bytes that end before the value does.
 */
export const byteDecoder: (type: CqlType) => ByteDecoder = compiledOnce(compileDecoder)

/** A value of no bytes, which Cassandra keeps for old clients, is null for all types but those of texts. */
export function hasEmptyValue(type: CqlType): boolean {
  return type.kind === 'native' && (type.name === 'text' || type.name === 'ascii' || type.name === 'blob')
}

/** Walks over values that each stand after their length. */
class Elements {
  readonly #bytes: Buffer
  #at: number

  constructor(bytes: Buffer, start: number) {
    this.#bytes = bytes
    this.#at = start
  }

  get ended(): boolean {
    return this.#at >= this.#bytes.length
  }

  /** The next value; null where the length says so. */
  next(decode: ByteDecoder): unknown {
    const length = this.#bytes.readInt32BE(this.#at)
    this.#at += 4
    return length < 0 ? null : decode(this.take(length))
  }

  take(length: number): Buffer {
    const end = this.#at + length
    if (end > this.#bytes.length) throw new RangeError('A value ends beyond the bytes it is in.')
    const value = this.#bytes.subarray(this.#at, end)
    this.#at = end
    return value
  }

  /** A length as vectors write it. */
  length(): number {
    const { value, end } = decodeUnsignedVint(this.#bytes, this.#at)
    this.#at = end
    return Number(value)
  }
}

/**
 * Of a value inside another one. One of no bytes has no value there either, but for a tuple and a user-defined type, whose
 * elements are null then.
 */
function innerDecoder(type: CqlType): ByteDecoder {
  const decode = byteDecoder(type)
  if (hasEmptyValue(type) || type.kind === 'tuple' || type.kind === 'udt') return decode
  return (bytes) => (bytes.length === 0 ? null : decode(bytes))
}

function compileDecoder(type: CqlType): ByteDecoder {
  switch (type.kind) {
    case 'native':
      return nativeDecoders[type.name]
    case 'list':
    case 'set':
      return sequenceDecoder(innerDecoder(type.element))
    case 'map':
      return mapDecoder(innerDecoder(type.key), innerDecoder(type.value))
    case 'tuple': {
      const decodeElements = type.elements.map(innerDecoder)
      return (bytes) => {
        const values = new Elements(bytes, 0)
        // Written before the type got its last elements: they are null.
        return decodeElements.map((decode) => (values.ended ? null : values.next(decode)))
      }
    }
    case 'udt': {
      const fields = type.fields.map(({ name, type: inner }) => [name, innerDecoder(inner)] as const)
      return (bytes) => {
        const values = new Elements(bytes, 0)
        // fromEntries defines own members, also one named __proto__.
        return Object.fromEntries(fields.map(([name, decode]) => [name, values.ended ? null : values.next(decode)]))
      }
    }
    case 'vector':
      return vectorDecoder(innerDecoder(type.element), type.dimensions, fixedWidth(type.element))
  }
}

function sequenceDecoder(decode: ByteDecoder): ByteDecoder {
  return (bytes) => {
    const values = new Elements(bytes, 4)
    return Array.from({ length: count(bytes) }, () => values.next(decode))
  }
}

/** Pairs: keys may be of any type. */
function mapDecoder(decodeKey: ByteDecoder, decodeValue: ByteDecoder): ByteDecoder {
  return (bytes) => {
    const values = new Elements(bytes, 4)
    return Array.from({ length: count(bytes) }, () => [values.next(decodeKey), values.next(decodeValue)])
  }
}

function vectorDecoder(decode: ByteDecoder, dimensions: number, width: number | undefined): ByteDecoder {
  return (bytes) => {
    const values = new Elements(bytes, 0)
    return Array.from({ length: dimensions }, () => decode(values.take(width ?? values.length())))
  }
}

/** How many elements a collection says it has; no more than its bytes can hold, so that no array is made of a wrong count. */
function count(bytes: Buffer): number {
  const said = bytes.readInt32BE(0)
  if (said < 0 || said > bytes.length / 4) throw new RangeError('A collection has a wrong count.')
  return said
}

/** Types whose values Cassandra 5 writes without a length inside a vector. The small integers and date are not among them. */
const widths: Partial<Readonly<Record<NativeTypeName, number>>> = {
  bigint: 8,
  boolean: 1,
  double: 8,
  float: 4,
  int: 4,
  timestamp: 8,
  timeuuid: 16,
  uuid: 16,
}

/** Bytes that each value of a type takes inside a vector; undefined where each value has a length of its own. */
function fixedWidth(type: CqlType): number | undefined {
  if (type.kind === 'native') return widths[type.name]
  if (type.kind !== 'vector') return undefined
  const element = fixedWidth(type.element)
  return element === undefined ? undefined : element * type.dimensions
}

/**
 * The bytes that a partition is placed by, from the first `columns` values: of one column its value, of several each value
 * between its length and a zero byte.
 */
export function routingKey(values: readonly Buffer[], columns: number): Buffer {
  const [only] = values
  if (only !== undefined && columns === 1) return only
  const parts = values.slice(0, columns)
  const bytes = Buffer.alloc(parts.reduce((sum, part) => sum + part.length + 3, 0))
  let at = 0
  for (const part of parts) {
    at = bytes.writeUInt16BE(part.length, at)
    at += part.copy(bytes, at) + 1
  }
  return bytes
}
