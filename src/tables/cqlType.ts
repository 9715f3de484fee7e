/** The native types of CQL. `varchar` is the same type as `text` and is always written `text`, as Cassandra does. */
export const nativeTypeNames = [
  'ascii',
  'bigint',
  'blob',
  'boolean',
  'counter',
  'date',
  'decimal',
  'double',
  'duration',
  'float',
  'inet',
  'int',
  'smallint',
  'text',
  'time',
  'timestamp',
  'timeuuid',
  'tinyint',
  'uuid',
  'varint',
] as const

export type NativeTypeName = (typeof nativeTypeNames)[number]

export interface NativeType {
  readonly kind: 'native'
  readonly name: NativeTypeName
}

/** A list or a set. `frozen` false: a column whose elements are cells of their own, so that an empty one is null. */
export interface SequenceType {
  readonly kind: 'list' | 'set'
  readonly element: CqlType
  readonly frozen: boolean
}

export interface MapType {
  readonly kind: 'map'
  readonly key: CqlType
  readonly value: CqlType
  readonly frozen: boolean
}

/** A tuple; always frozen. */
export interface TupleType {
  readonly kind: 'tuple'
  readonly elements: readonly CqlType[]
}

/** A vector of fixed length; always frozen. */
export interface VectorType {
  readonly kind: 'vector'
  readonly element: CqlType
  readonly dimensions: number
}

/** One field of a user-defined type. */
export interface UdtField {
  readonly name: string
  readonly type: CqlType
}

/** A user-defined type with its fields in declared order. `frozen` as for `SequenceType`. */
export interface UdtType {
  readonly kind: 'udt'
  readonly name: string
  readonly fields: readonly UdtField[]
  readonly frozen: boolean
}

export type CqlType = NativeType | SequenceType | MapType | TupleType | VectorType | UdtType

const plainIdentifier = /^[a-z][a-z0-9_]*$/

/** The name as a quoted CQL identifier: in double quotes, double quotes doubled. Safe for any text. */
export function quoteIdentifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

/** The name as a person would write it in CQL: quoted only when it must be. For messages, not for statements. */
export function displayIdentifier(name: string): string {
  return plainIdentifier.test(name) ? name : quoteIdentifier(name)
}

/** The CQL text of a type; `parseCqlType` reads it back. A user-defined type is its name. */
export function formatCqlType(type: CqlType): string {
  const frozen = (text: string, isFrozen: boolean): string => (isFrozen ? `frozen<${text}>` : text)
  switch (type.kind) {
    case 'native':
      return type.name
    case 'list':
    case 'set':
      return frozen(`${type.kind}<${formatCqlType(type.element)}>`, type.frozen)
    case 'map':
      return frozen(`map<${formatCqlType(type.key)}, ${formatCqlType(type.value)}>`, type.frozen)
    case 'tuple':
      return `tuple<${type.elements.map(formatCqlType).join(', ')}>`
    case 'vector':
      return `vector<${formatCqlType(type.element)}, ${String(type.dimensions)}>`
    case 'udt':
      return frozen(displayIdentifier(type.name), type.frozen)
  }
}

/** True for a column whose elements or fields are cells of their own: Cassandra keeps no difference of empty and null. */
export function isMultiCell(type: CqlType): boolean {
  return 'frozen' in type && !type.frozen
}

/** The types directly inside a type. */
export function innerTypes(type: CqlType): readonly CqlType[] {
  switch (type.kind) {
    case 'native':
      return []
    case 'list':
    case 'set':
    case 'vector':
      return [type.element]
    case 'map':
      return [type.key, type.value]
    case 'tuple':
      return type.elements
    case 'udt':
      return type.fields.map((field) => field.type)
  }
}

/** True when the type is, or holds at any depth, the native type. */
export function containsType(type: CqlType, name: NativeTypeName): boolean {
  // User-defined types share what they are made of: each part is looked at once, or a few types would take for ever.
  const parts = new Set<CqlType>([type])
  for (const part of parts) {
    if (part.kind === 'native' && part.name === name) return true
    for (const inner of innerTypes(part)) parts.add(inner)
  }
  return false
}

/**
 * Turns an untrusted JSON value into the canonical text of one CQL type, or into undefined when it does not convert.
 * It never throws: a value that does not convert is an ordinary outcome when a payload is compared with a row.
 */
export type Conversion = (value: unknown) => string | undefined

/** What is made of an object once, when it is first asked for; the object must not change afterwards. */
export function compiledOnce<Source extends object, Compiled>(
  compile: (source: Source) => Compiled,
): (source: Source) => Compiled {
  const compiled = new WeakMap<Source, Compiled>()
  return (source) => {
    const known = compiled.get(source)
    if (known !== undefined) return known
    const made = compile(source)
    compiled.set(source, made)
    return made
  }
}
