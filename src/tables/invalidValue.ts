import { TidemarkError } from '../core/errors.ts'
import { isJsonObject, JsonNumber } from '../codecs/json/jsonNumber.ts'
import { formatCqlType, type CqlType } from './cqlType.ts'
import { nativeCodecs } from './nativeCodecs.ts'
import { mapEntries, valueCodec } from './valueCodec.ts'

const shownCharacters = 60

/** The innermost value that does not convert, with its place inside the whole: `[2].street`. */
interface Culprit {
  readonly type: CqlType
  readonly value: unknown
  readonly path: string
}

/** The column a value was meant for: its name, and how a sentence calls it. */
export interface ColumnPlace {
  readonly column: string
  readonly label: string
}

/**
 * Says why a value did not convert. Called only after a conversion failed, so that conversions stay free of messages.
 * Details: `expected`, `type`, `column` where there is one and, inside a collection, `path`.
 */
export function invalidValue(type: CqlType, value: unknown, place?: ColumnPlace): TidemarkError {
  const culprit = findCulprit({ type, value, path: '' })
  const expected = expectation(culprit.type)
  const typeText = formatCqlType(type)
  const target = place === undefined ? `type ${typeText}` : `${place.label} of type ${typeText}`
  const at = culprit.path === '' ? '' : ` (at ${culprit.path})`
  const message = `The value ${showValue(culprit.value)}${at} does not fit ${target}: expected ${expected}.`
  const details = {
    expected,
    type: typeText,
    ...(place === undefined ? {} : { column: place.column }),
    ...(culprit.path === '' ? {} : { path: culprit.path }),
  }
  return new TidemarkError('invalid-value', message, { details })
}

/** A value in a message: short, whatever its size. */
export function showValue(value: unknown): string {
  if (value instanceof JsonNumber) return shorten(value.source)
  if (typeof value === 'string') return JSON.stringify(shorten(value))
  if (Array.isArray(value)) return `[…] (an array of ${String(value.length)})`
  if (isJsonObject(value)) return '{…} (an object)'
  return String(value)
}

function shorten(text: string): string {
  return text.length > shownCharacters ? `${text.slice(0, shownCharacters)}…` : text
}

function expectation(type: CqlType): string {
  switch (type.kind) {
    case 'native':
      return nativeCodecs[type.name].expected
    case 'list':
    case 'set':
      return 'an array without nulls'
    case 'vector':
      return `an array of ${String(type.dimensions)} elements`
    case 'tuple':
      return `an array of ${String(type.elements.length)} elements`
    case 'map':
      return type.key.kind === 'native'
        ? 'an object, or an array of [key, value] pairs, that names no key twice'
        : 'an array of [key, value] pairs that names no key twice'
    case 'udt':
      return `an object with no other members than ${type.fields.map(({ name }) => JSON.stringify(name)).join(', ')}`
  }
}

function findCulprit(whole: Culprit): Culprit {
  const inner = innerValues(whole).find(({ type, value }) => valueCodec(type).encode(value) === undefined)
  return inner === undefined ? whole : findCulprit(inner)
}

function innerValues({ type, value, path }: Culprit): readonly Culprit[] {
  switch (type.kind) {
    case 'native':
      return []
    case 'list':
    case 'set':
    case 'vector':
      return elements(value).map((element, index) => ({
        type: type.element,
        value: element,
        path: `${path}[${String(index)}]`,
      }))
    case 'tuple':
      return elements(value).flatMap((element, index) => {
        const elementType = type.elements[index]
        const isNull = element === null || elementType === undefined
        return isNull ? [] : [{ type: elementType, value: element, path: `${path}[${String(index)}]` }]
      })
    case 'map': {
      // A name that is no key of the type is the object's own fault: it is reported as the map.
      const entries = mapEntries(value, type.key.kind === 'native') ?? []
      const keyed = Array.isArray(value) ? [type.key] : []
      return entries.flatMap(([key, entry], index) => [
        ...keyed.map((keyType) => ({ type: keyType, value: key, path: `${path}[${String(index)}][0]` })),
        {
          type: type.value,
          value: entry,
          path: `${path}[${keyed.length === 0 ? showValue(key) : `${String(index)}][1`}]`,
        },
      ])
    }
    case 'udt':
      return isJsonObject(value)
        ? type.fields.flatMap(({ name, type: fieldType }) =>
            Object.hasOwn(value, name) && value[name] !== null
              ? [{ type: fieldType, value: value[name], path: `${path}[${showValue(name)}]` }]
              : [],
          )
        : []
  }
}

function elements(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? (value as readonly unknown[]) : []
}
