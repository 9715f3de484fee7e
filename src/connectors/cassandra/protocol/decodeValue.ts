import type { CqlType } from '../../../tables/cqlType.ts'
import { nativeDecoders, type ByteDecoder } from './decodeNative.ts'
import { fixedWidth } from './fixedWidth.ts'
import { decodeUnsignedVint } from './vint.ts'

const decoders = new WeakMap<CqlType, ByteDecoder>()

/**
 * The decoder of a type; each type object is compiled once. What it gives is for the conversions of `src/tables`.
 * Throws RangeError for bytes that end before the value does.
 */
export function byteDecoder(type: CqlType): ByteDecoder {
  const known = decoders.get(type)
  if (known !== undefined) return known
  const decoder = compile(type)
  decoders.set(type, decoder)
  return decoder
}

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

function compile(type: CqlType): ByteDecoder {
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
  const elements = bytes.readInt32BE(0)
  if (elements < 0 || elements > bytes.length / 4) throw new RangeError('A collection has a wrong count.')
  return elements
}
