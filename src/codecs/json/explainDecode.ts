import { isLeft } from 'fp-ts/lib/Either.js'
import * as t from 'io-ts'
import { isStructured, typeName } from './codecStructure.ts'
import { isJsonRecord, type JsonRecordType } from './jsonCodecs.ts'
import { isJsonObject, JsonNumber } from './jsonNumber.ts'
import { formatPath, type JsonPath } from './jsonPath.ts'

/** One place where a value is not what its codec expects. */
interface Mismatch {
  /** `path: what is wrong`. */
  readonly sentence: string
  readonly depth: number
  readonly missing: boolean
}

/** Where the walk stands; undefined at the top. */
type Place = JsonPath | undefined

const maxSentenceLength = 300

/**
 * Why a codec refuses a value, in one sentence of at most 300 characters: path, expected type, JSON type found, for
 * example `primaryKey.user_id: expected string, got array`; undefined when the codec does not refuse it. The sentence
 * is stable and quotes no value; keys that the message chose are escaped and cut.
 *
 * Of a union, the branch that got furthest is explained: fewest members missing, then fewest wrong, then the deepest.
 *
 * io-ts' own `decode` collects an error for every bad element, a gigabyte for a hostile message of 10 MB; this walk
 * stops at the first of each array.
 */
export function explainDecode(codec: t.Mixed, value: unknown): string | undefined {
  const first = mismatches(codec, value, undefined)[0]
  if (first === undefined) return undefined
  const { sentence } = first
  return sentence.length <= maxSentenceLength ? sentence : `${sentence.slice(0, maxSentenceLength - 1)}…`
}

function mismatches(codec: t.Mixed, value: unknown, place: Place): readonly Mismatch[] {
  if (isJsonRecord(codec)) return ofMembers(codec, value, place)
  if (!isStructured(codec)) return ofLeaf(codec, value, place)
  switch (codec._tag) {
    case 'InterfaceType':
    case 'PartialType': {
      if (!isJsonObject(value)) return [wrong(codec, value, place)]
      const found: Mismatch[] = []
      for (const [key, member] of Object.entries(codec.props)) {
        if (codec._tag === 'PartialType' && value[key] === undefined) continue
        found.push(...mismatches(member, value[key], inside(place, key)))
      }
      return found
    }
    case 'ArrayType':
    case 'ReadonlyArrayType': {
      if (!Array.isArray(value)) return [wrong(codec, value, place)]
      return firstOf(value, (element, index) => mismatches(codec.type, element, inside(place, index)))
    }
    case 'TupleType': {
      if (!Array.isArray(value)) return [wrong(codec, value, place)]
      return firstOf(codec.types, (type, index) => mismatches(type, value[index], inside(place, index)))
    }
    case 'DictionaryType':
      return ofMembers(codec, value, place)
    case 'UnionType':
      return ofUnion(codec, value, place)
    case 'IntersectionType': {
      const found = codec.types.flatMap((type) => mismatches(type, value, place))
      return found.filter(({ sentence }, index) => found.findIndex((other) => other.sentence === sentence) === index)
    }
    case 'RefinementType': {
      const found = mismatches(codec.type, value, place)
      return found.length > 0 ? found : ofLeaf(codec, value, place)
    }
    case 'ReadonlyType':
    case 'ExactType':
      return mismatches(codec.type, value, place)
    case 'RecursiveType':
      return mismatches(codec.runDefinition(), value, place)
  }
}

function ofMembers(
  codec: JsonRecordType<t.Mixed> | t.DictionaryType<t.Mixed, t.Mixed>,
  value: unknown,
  place: Place,
): readonly Mismatch[] {
  if (!isJsonObject(value)) return [wrong(codec, value, place)]
  const domain = isJsonRecord(codec) ? t.string : codec.domain
  // A record over a fixed set of keys needs all of them.
  const keys = isKeyof(domain) ? Object.keys(domain.keys) : Object.keys(value)
  return firstOf(keys, (key) => {
    const at = inside(place, key)
    if (domain.is(key)) return mismatches(codec.codomain, value[key], at)
    const sentence = `${formatPath(at)}: the key is not ${typeName(domain)}`
    return [{ sentence, depth: at.depth, missing: false }]
  })
}

function isKeyof(codec: t.Mixed): codec is t.KeyofType<Record<string, unknown>> {
  return codec instanceof t.KeyofType
}

function ofUnion(codec: t.UnionType<t.Mixed[]>, value: unknown, place: Place): readonly Mismatch[] {
  const branches: (readonly Mismatch[])[] = []
  for (const type of codec.types) {
    const found = mismatches(type, value, place)
    if (found.length === 0) return []
    // A branch that refuses the value as a whole says nothing that the union does not say better.
    if (found.every(({ depth }) => depth > depthOf(place))) branches.push(found)
  }
  branches.sort(byProgress)
  const [best, second] = branches
  const first = best?.[0]
  if (best === undefined || first === undefined) return [wrong(codec, value, place)]
  const rival = second?.[0]
  if (second === undefined || rival === undefined || byProgress(best, second) !== 0) return best
  if (rival.sentence === first.sentence) return best
  // { pk } or { primaryKey }: with neither there, both are worth naming.
  return [{ ...first, sentence: `${first.sentence}; or ${rival.sentence}` }, ...best.slice(1)]
}

/** The branch that got furthest comes first. */
function byProgress(a: readonly Mismatch[], b: readonly Mismatch[]): number {
  return missingIn(a) - missingIn(b) || a.length - b.length || deepest(b) - deepest(a)
}

/** A codec that hides what it is made of: its own first error counts. */
function ofLeaf(codec: t.Mixed, value: unknown, place: Place): readonly Mismatch[] {
  const result = codec.validate(value, [])
  if (!isLeft(result)) return []
  const error = result.left[0]
  if (error === undefined) return [wrong(codec, value, place)]
  let at = place
  for (const { key } of error.context) if (key !== '') at = inside(at, key)
  const inner = error.context.at(-1)?.type
  return [wrong(inner instanceof t.Type ? inner : codec, error.value, at)]
}

function wrong(codec: t.Mixed, value: unknown, place: Place): Mismatch {
  const where = place === undefined ? 'value' : formatPath(place)
  const expected = typeName(codec)
  const missing = value === undefined
  const sentence = missing
    ? `${where}: is missing, expected ${expected}`
    : `${where}: expected ${expected}, got ${jsonType(value)}`
  return { sentence, depth: depthOf(place), missing }
}

function jsonType(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'array'
  if (value instanceof JsonNumber) return 'a number that a double does not hold exactly'
  return typeof value
}

function inside(place: Place, key: string | number): JsonPath {
  return { parent: place, key, depth: depthOf(place) + 1 }
}

function depthOf(place: Place): number {
  return place?.depth ?? 0
}

function firstOf<T>(items: readonly T[], check: (item: T, index: number) => readonly Mismatch[]): readonly Mismatch[] {
  for (const [index, item] of items.entries()) {
    const found = check(item, index)
    if (found.length > 0) return found
  }
  return []
}

function missingIn(found: readonly Mismatch[]): number {
  return found.filter(({ missing }) => missing).length
}

function deepest(found: readonly Mismatch[]): number {
  return Math.max(...found.map(({ depth }) => depth))
}
