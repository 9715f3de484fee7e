import * as t from 'io-ts'
import { isJsonRecord } from './jsonCodecs.ts'

/** The codecs of io-ts that are made of others and say so. */
export type Structured =
  | t.InterfaceType<t.Props>
  | t.PartialType<t.Props>
  | t.ArrayType<t.Mixed>
  | t.ReadonlyArrayType<t.Mixed>
  | t.TupleType<t.Mixed[]>
  | t.DictionaryType<t.Mixed, t.Mixed>
  | t.UnionType<t.Mixed[]>
  | t.IntersectionType<t.Mixed[]>
  | t.RefinementType<t.Mixed>
  | t.ReadonlyType<t.Mixed>
  | t.ExactType<t.Mixed>
  | t.RecursiveType<t.Mixed>

const structuredTypes = [
  t.InterfaceType,
  t.PartialType,
  t.ArrayType,
  t.ReadonlyArrayType,
  t.TupleType,
  t.DictionaryType,
  t.UnionType,
  t.IntersectionType,
  t.RefinementType,
  t.ReadonlyType,
  t.ExactType,
  t.RecursiveType,
]

/** True when a codec shows what it is made of, so that a walk can go into it. */
export function isStructured(codec: t.Mixed): codec is t.Mixed & Structured {
  return structuredTypes.some((type) => codec instanceof type)
}

const maxTypeLength = 80

/** The expected type in a few words: what is composed is named by its JSON type, the rest by the codec's name. */
export function typeName(codec: t.Mixed): string {
  const name = isStructured(codec) ? structureName(codec) : isJsonRecord(codec) ? 'object' : codec.name
  return name.length <= maxTypeLength ? name : `${name.slice(0, maxTypeLength - 1)}…`
}

function structureName(codec: Structured & t.Mixed): string {
  switch (codec._tag) {
    case 'ArrayType':
    case 'ReadonlyArrayType':
    case 'TupleType':
      return 'array'
    case 'UnionType':
      return [...new Set(codec.types.map((type) => typeName(type)))].join(' | ')
    case 'ReadonlyType':
    case 'ExactType':
      return typeName(codec.type)
    case 'RefinementType':
    case 'RecursiveType':
      return codec.name
    default:
      return 'object'
  }
}
