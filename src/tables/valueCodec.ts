import { isJsonObject } from '../codecs/json/jsonNumber.ts'
import {
  compiledOnce,
  isMultiCell,
  type CqlType,
  type MapType,
  type TupleType,
  type UdtType,
  type Conversion,
} from './cqlType.ts'
import { nativeCodecs } from './nativeCodecs.ts'

/** One type, compiled: everything that depends on the type alone is done before the first value. */
export interface ValueCodec {
  /** The canonical JSON of a value that is not null. */
  readonly encode: Conversion
  /** What sets and maps are ordered by: the text before JSON quoting for native types, the canonical JSON for others. */
  readonly plain: Conversion
  /** The canonical JSON of a plain text. */
  readonly json: (plain: string) => string
}

/** The codec of a type; the same object for the same type object. */
export const valueCodec: (type: CqlType) => ValueCodec = compiledOnce(compile)

/** Own member of an object, whatever its name (`__proto__` is one like any other); undefined when it has none. */
export function ownMember(object: Readonly<Record<string, unknown>>, name: string): unknown {
  return Object.hasOwn(object, name) ? object[name] : undefined
}

/** Conversion of a whole column: null is null, and so is what Cassandra does not tell from null. */
export function columnConversion(type: CqlType): Conversion {
  const { encode } = valueCodec(type)
  if (!isMultiCell(type)) return orNull(encode)
  const empty = emptyText(type)
  return (value) => {
    if (value === null) return 'null'
    const text = encode(value)
    return text === empty ? 'null' : text
  }
}

function orNull(encode: Conversion): Conversion {
  return (value) => (value === null ? 'null' : encode(value))
}

function emptyText(type: CqlType): string | undefined {
  return valueCodec(type).encode(type.kind === 'udt' ? {} : [])
}

function compile(type: CqlType): ValueCodec {
  if (type.kind === 'native') {
    const { plain, json } = nativeCodecs[type.name]
    const encode: Conversion = (value) => {
      const text = plain(value)
      return text === undefined ? undefined : json(text)
    }
    return { encode, plain, json }
  }
  const encode = compileComposite(type)
  return { encode, plain: encode, json: (plain) => plain }
}

function compileComposite(type: Exclude<CqlType, { kind: 'native' }>): Conversion {
  switch (type.kind) {
    case 'list':
      return arrayConversion(valueCodec(type.element), undefined)
    case 'vector':
      return arrayConversion(valueCodec(type.element), type.dimensions)
    case 'set':
      return setConversion(valueCodec(type.element))
    case 'map':
      return mapConversion(type)
    case 'tuple':
      return tupleConversion(type)
    case 'udt':
      return udtConversion(type)
  }
}

/** A text for each value; undefined as soon as one has none. */
function textsOf(
  values: readonly unknown[],
  textOf: (value: unknown, index: number) => string | undefined,
): readonly string[] | undefined {
  const texts: string[] = []
  for (let index = 0; index < values.length; index += 1) {
    const text = textOf(values[index], index)
    if (text === undefined) return undefined
    texts.push(text)
  }
  return texts
}

function arrayConversion({ encode }: ValueCodec, length: number | undefined): Conversion {
  return (value) => {
    if (!Array.isArray(value) || (length !== undefined && value.length !== length)) return undefined
    const texts = textsOf(value, encode)
    return texts === undefined ? undefined : `[${texts.join(',')}]`
  }
}

function setConversion({ plain, json }: ValueCodec): Conversion {
  return (value) => {
    const texts = Array.isArray(value) ? textsOf(value, plain) : undefined
    return texts === undefined ? undefined : `[${[...new Set(texts)].sort().map(json).join(',')}]`
  }
}

function mapConversion(type: MapType): Conversion {
  const key = valueCodec(type.key)
  const value = valueCodec(type.value)
  const isNamed = type.key.kind === 'native'
  const [open, close] = isNamed ? ['{', '}'] : ['[', ']']
  return (input) => {
    const entries = mapEntries(input, isNamed)
    if (entries === undefined) return undefined
    const values = new Map<string, string>()
    for (const [keyInput, valueInput] of entries) {
      const keyText = key.plain(keyInput)
      const valueText = value.encode(valueInput)
      // Two spellings of one key: which value is meant cannot be known.
      if (keyText === undefined || valueText === undefined || values.has(keyText)) return undefined
      values.set(keyText, valueText)
    }
    const members = [...values.keys()].sort().map((keyText) => {
      const valueText = values.get(keyText) ?? ''
      return isNamed ? `${JSON.stringify(keyText)}:${valueText}` : `[${key.json(keyText)},${valueText}]`
    })
    return `${open}${members.join(',')}${close}`
  }
}

/** The pairs of an array of pairs or, where names can stand for keys, of an object. */
export function mapEntries(value: unknown, isNamed: boolean): readonly (readonly [unknown, unknown])[] | undefined {
  if (isNamed && isJsonObject(value)) return Object.entries(value)
  return Array.isArray(value) && value.every(isPair) ? value : undefined
}

function isPair(value: unknown): value is readonly [unknown, unknown] {
  return Array.isArray(value) && value.length === 2
}

function tupleConversion(type: TupleType): Conversion {
  const conversions = type.elements.map((element) => orNull(valueCodec(element).encode))
  return (value) => {
    if (!Array.isArray(value) || value.length !== conversions.length) return undefined
    const texts = textsOf(value, (element, index) => conversions[index]?.(element))
    return texts === undefined ? undefined : `[${texts.join(',')}]`
  }
}

function udtConversion(type: UdtType): Conversion {
  const fields = type.fields
    .map(({ name, type: inner }) => ({
      name,
      prefix: `${JSON.stringify(name)}:`,
      convert: orNull(valueCodec(inner).encode),
    }))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
  return (value) => (isJsonObject(value) ? objectText(fields, value) : undefined)
}

/** A column, or a field of a user-defined type. */
export interface MemberCodec {
  readonly name: string
  /** The name as JSON, and a colon: how the member begins. */
  readonly prefix: string
  readonly convert: Conversion
}

/**
 * An object with all of these members, null where the value has none; undefined where one does not convert, or the value has
 * others.
 */
export function objectText(
  members: readonly MemberCodec[],
  value: Readonly<Record<string, unknown>>,
): string | undefined {
  let known = 0
  const texts: string[] = []
  for (const { name, prefix, convert } of members) {
    const isPresent = Object.hasOwn(value, name)
    if (isPresent) known += 1
    const text = isPresent ? convert(value[name]) : 'null'
    if (text === undefined) return undefined
    texts.push(prefix + text)
  }
  return known === Object.keys(value).length ? `{${texts.join(',')}}` : undefined
}
