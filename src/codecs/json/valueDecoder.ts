import * as E from 'fp-ts/lib/Either.js'
import * as t from 'io-ts'
import { isStructured } from './codecStructure.ts'
import { explainDecode } from './explainDecode.ts'
import { isJsonRecord, present } from './jsonCodecs.ts'

/**
 * What `codec.decode` does, made for messages: four times faster for a good value, and a bad one costs no more than
 * finding its first fault. Left is the sentence of `explainDecode`. Call it once per codec, not per record.
 */
export function valueDecoder<A>(codec: t.Type<A, unknown>): (value: unknown) => E.Either<string, A> {
  // `is` may stand for `decode` only where decoding gives back the very value.
  const identity = isIdentity(codec, new Set())
  return (value) => {
    if (identity && codec.is(value)) return E.right(value)
    const reason = explainDecode(codec, value)
    if (reason !== undefined) return E.left(reason)
    const result = codec.decode(value)
    return E.isRight(result) ? result : E.left('value: does not have the expected shape')
  }
}

const identityTypes = [
  t.StringType,
  t.NumberType,
  t.BooleanType,
  t.NullType,
  t.UndefinedType,
  t.UnknownType,
  t.LiteralType,
  t.KeyofType,
  t.AnyArrayType,
  t.AnyDictionaryType,
]

/** True when a codec decodes each value it accepts to that same value: all its parts do, and it strips nothing. */
function isIdentity(codec: t.Mixed, seen: Set<t.Mixed>): boolean {
  if (codec === present || identityTypes.some((type) => codec instanceof type)) return true
  if (seen.has(codec)) return true
  seen.add(codec)
  const isPart = (part: t.Mixed): boolean => isIdentity(part, seen)
  if (isJsonRecord(codec)) return isPart(codec.codomain)
  if (!isStructured(codec)) return false
  switch (codec._tag) {
    case 'InterfaceType':
    case 'PartialType':
      return Object.values(codec.props).every(isPart)
    case 'ArrayType':
    case 'ReadonlyArrayType':
    case 'RefinementType':
    case 'ReadonlyType':
      return isPart(codec.type)
    case 'DictionaryType':
      return isPart(codec.domain) && isPart(codec.codomain)
    case 'UnionType':
    case 'IntersectionType':
    case 'TupleType':
      return codec.types.every(isPart)
    case 'RecursiveType':
      return isPart(codec.runDefinition())
    case 'ExactType':
      return false
  }
}
