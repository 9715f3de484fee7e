import type { CqlType, MapType } from '../../../tables/cqlType.ts'
import { isJsonObject, ownMember, valueCodec } from '../../../tables/valueCodec.ts'
import { nativeEncoders, notCanonical, type ByteEncoder } from './encodeNative.ts'
import { fixedWidth } from './fixedWidth.ts'
import { encodeUnsignedVint } from './vint.ts'

const encoders = new WeakMap<CqlType, ByteEncoder>()

/**
 * The bytes that Cassandra's native protocol (version 3 and later) has for a value of the row encoding, given as the JSON
 * value of its canonical text. Each type object is compiled once. Throws `broken-invariant` for what is not canonical.
 */
export function byteEncoder(type: CqlType): ByteEncoder {
  const known = encoders.get(type)
  if (known !== undefined) return known
  const encoder = compile(type)
  encoders.set(type, encoder)
  return encoder
}

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

function compile(type: CqlType): ByteEncoder {
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
