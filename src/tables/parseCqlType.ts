import { TidemarkError } from '../core/errors.ts'
import { containsType, nativeTypeNames, type CqlType, type NativeTypeName, type UdtType } from './cqlType.ts'

const maxLength = 4_096
const maxDepth = 32
const maxDimensions = 8_192

const nativeNames: ReadonlyMap<string, NativeTypeName> = new Map<string, NativeTypeName>([
  ...nativeTypeNames.map((name) => [name, name] as const),
  ['varchar', 'text'],
])

/** Names that open a `<…>`; never a user-defined type unless quoted. */
const parametricNames: ReadonlySet<string> = new Set(['frozen', 'list', 'set', 'map', 'tuple', 'vector'])

/** One token: a name, a quoted name, a number or a mark. Sticky, so that it reads at a position. */
const token = /\s*(?:([A-Za-z][A-Za-z0-9_]*)|"((?:[^"]|"")+)"|([0-9]+)|([<>,]))/y

/**
 * Reads a CQL type as it stands in a CREATE TABLE: every native type, `list`, `set`, `map`, `tuple`, `vector`,
 * `frozen`, and the user-defined types given in `udts` by their names (unquoted names are lower case).
 *
 * A type inside another one is taken as frozen, written or not, because Cassandra has it no other way.
 * The text may be hostile: at most 4,096 characters and 32 levels. Throws `invalid-input`.
 */
export function parseCqlType(text: string, udts: ReadonlyMap<string, UdtType> = new Map()): CqlType {
  if (text.length > maxLength) {
    throw invalid(text, `it is longer than ${String(maxLength)} characters`)
  }
  return new TypeParser(text, udts).parse()
}

function invalid(text: string, why: string): TidemarkError {
  const shown = JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text)
  return new TidemarkError('invalid-input', `${shown} is not a CQL type: ${why}.`)
}

class TypeParser {
  readonly #text: string
  readonly #udts: ReadonlyMap<string, UdtType>
  #position = 0

  constructor(text: string, udts: ReadonlyMap<string, UdtType>) {
    this.#text = text
    this.#udts = udts
  }

  parse(): CqlType {
    const type = this.#type(0, false)
    if (this.#text.slice(this.#position).trim() !== '') throw this.#invalid('the type has ended')
    return type
  }

  #invalid(why: string): TidemarkError {
    return invalid(this.#text, `${why}, at character ${String(this.#position + 1)}`)
  }

  #next(): { word?: string; quoted?: string; digits?: string; mark?: string } {
    token.lastIndex = this.#position
    const match = token.exec(this.#text)
    if (match === null) return {}
    this.#position = token.lastIndex
    const [, word, quoted, digits, mark] = match
    if (word !== undefined) return { word: word.toLowerCase() }
    if (quoted !== undefined) return { quoted: quoted.replaceAll('""', '"') }
    if (digits !== undefined) return { digits }
    return mark === undefined ? {} : { mark }
  }

  /** Steps over a mark that is next. */
  #takes(mark: string): boolean {
    const before = this.#position
    if (this.#next().mark === mark) return true
    this.#position = before
    return false
  }

  #expect(mark: string): void {
    if (!this.#takes(mark)) throw this.#invalid(`"${mark}" is missing`)
  }

  #type(depth: number, frozen: boolean): CqlType {
    if (depth > maxDepth) throw this.#invalid(`it is nested deeper than ${String(maxDepth)} levels`)
    const before = this.#position
    const { word, quoted } = this.#next()
    if (word !== undefined && parametricNames.has(word)) return this.#parametric(word, depth, frozen)
    const native = word === undefined ? undefined : nativeNames.get(word)
    if (native !== undefined) return { kind: 'native', name: native }
    const udtName = word ?? quoted
    const udt = udtName === undefined ? undefined : this.#udts.get(udtName)
    if (udt !== undefined) return { ...udt, frozen }
    this.#position = before
    throw this.#invalid(udtName === undefined ? 'a type is missing' : `no type has the name ${JSON.stringify(udtName)}`)
  }

  #parametric(word: string, depth: number, frozen: boolean): CqlType {
    this.#expect('<')
    const type = this.#parameters(word, depth + 1, frozen)
    this.#expect('>')
    return type
  }

  #parameters(word: string, depth: number, frozen: boolean): CqlType {
    switch (word) {
      case 'frozen': {
        const type = this.#type(depth, true)
        if (type.kind === 'native') throw this.#invalid('only collections, tuples and user-defined types can be frozen')
        return type
      }
      case 'list':
        return { kind: 'list', element: this.#inner(depth), frozen }
      case 'set':
        return { kind: 'set', element: this.#comparable(depth, 'the element of a set'), frozen }
      case 'map': {
        const key = this.#comparable(depth, 'the key of a map')
        this.#expect(',')
        return { kind: 'map', key, value: this.#inner(depth), frozen }
      }
      case 'tuple':
        return { kind: 'tuple', elements: this.#list(depth) }
      default: {
        const element = this.#inner(depth)
        this.#expect(',')
        return { kind: 'vector', element, dimensions: this.#dimensions() }
      }
    }
  }

  #inner(depth: number): CqlType {
    const type = this.#type(depth, true)
    if (type.kind === 'native' && type.name === 'counter')
      throw this.#invalid('a counter cannot be inside another type')
    return type
  }

  #comparable(depth: number, what: string): CqlType {
    const type = this.#inner(depth)
    if (containsType(type, 'duration')) throw this.#invalid(`a duration has no order and cannot be ${what}`)
    return type
  }

  #list(depth: number): readonly CqlType[] {
    const elements = [this.#inner(depth)]
    while (this.#takes(',')) elements.push(this.#inner(depth))
    return elements
  }

  #dimensions(): number {
    const { digits } = this.#next()
    const dimensions = Number(digits ?? 0)
    if (dimensions >= 1 && dimensions <= maxDimensions) return dimensions
    throw this.#invalid(`a vector has from 1 to ${String(maxDimensions)} dimensions`)
  }
}
