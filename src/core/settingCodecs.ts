import * as E from 'fp-ts/lib/Either.js'
import * as t from 'io-ts'
import { nearest } from './nearest.ts'
import { type RecordPosition, isTopicName } from './record.ts'

/**
 * A codec from text. `name` says what a valid text is; `decode` answers it, or something more precise, as its left. Values are
 * written as `String` writes them by default.
 */
export function textCodec<A>(
  name: string,
  decode: (text: string) => E.Either<string, A>,
  encode: (value: A) => string = String,
): t.Type<A, string, string> {
  return new t.Type<A, string, string>(
    name,
    // Never asked: a setting only decodes and encodes.
    (_value): _value is A => false,
    (input, context) => {
      const decoded = decode(input)
      return E.isRight(decoded) ? t.success(decoded.right) : t.failure(input, context, decoded.left)
    },
    encode,
  )
}

/** A text that keeps a rule, without white space around it. */
export function textThat(rule: string, keeps: (trimmed: string) => boolean): t.Type<string, string, string> {
  return textCodec(rule, (input) => (keeps(input.trim()) ? E.right(input.trim()) : E.left(rule)))
}

/** Any text but the empty one. */
export const text = textThat('a text that is not empty', (trimmed) => trimmed !== '')

/** The path of a file; the key itself in place of its path is refused, and never taken for a name. */
export const filePath = textThat(
  'the path of a file, and not what belongs into it',
  (path) => path !== '' && !path.includes('\n') && !path.includes('-----BEGIN') && path.length <= 4096,
)

/** A whole number in decimal digits, from `min` to `max`; both default to the safe integers. */
export function integer(limits: { readonly min?: number; readonly max?: number } = {}): t.Type<number, string, string> {
  const { min = Number.MIN_SAFE_INTEGER, max = Number.MAX_SAFE_INTEGER } = limits
  const lower = limits.min === undefined ? '' : ` of at least ${String(min)}`
  const upper = limits.max === undefined ? '' : `${lower === '' ? ' of' : ' and'} at most ${String(max)}`
  const name = `an integer${lower}${upper}`
  return textCodec<number>(name, (input) => {
    const value = /^[+-]?\d+$/.test(input.trim()) ? Number(input) : NaN
    return Number.isSafeInteger(value) && value >= min && value <= max ? E.right(value) : E.left(name)
  })
}

const durationUnits: Readonly<Record<string, number>> = { ms: 1, s: 1000, min: 60_000, h: 3_600_000, d: 86_400_000 }

const byteUnits: Readonly<Record<string, number>> = { b: 1, kib: 1024, mib: 1024 ** 2, gib: 1024 ** 3 }

function withUnit(name: string, units: Readonly<Record<string, number>>, min: number): t.Type<number, string, string> {
  return textCodec<number>(name, (input) => {
    const [, digits, unit = ''] = /^(\d+)\s*([a-z]*)$/i.exec(input.trim()) ?? []
    const lower = unit.toLowerCase()
    const factor = unit === '' ? 1 : Object.hasOwn(units, lower) ? units[lower] : undefined
    const value = digits === undefined || factor === undefined ? NaN : Number(digits) * factor
    return Number.isSafeInteger(value) && value >= min ? E.right(value) : E.left(name)
  })
}

/** Milliseconds; also written with a unit: `500 ms`, `30s`, `5 min`, `1h`, `1d`. `minMs` defaults to 0. */
export function durationMs(limits: { readonly minMs?: number } = {}): t.Type<number, string, string> {
  const { minMs = 0 } = limits
  const least = minMs === 0 ? '' : `, at least ${String(minMs)} ms`
  return withUnit(`a time in ms (30000) or with a unit (ms, s, min, h, d)${least}`, durationUnits, minMs)
}

/** Bytes; also written with a unit: `512 KiB`, `16 MiB`, `1 GiB`. */
export function bytes(limits: { readonly min?: number } = {}): t.Type<number, string, string> {
  const { min = 0 } = limits
  const least = min === 0 ? '' : `, at least ${String(min)}`
  return withUnit(`bytes (1048576) or with a unit (KiB, MiB, GiB)${least}`, byteUnits, min)
}

/** One of some words; `aliases` maps other spellings to them. Upper and lower case count as the same. */
export function choice<const Word extends string>(
  words: readonly Word[],
  aliases: Readonly<Record<string, NoInfer<Word>>> = {},
): t.Type<Word, string, string> {
  const known = new Map<string, Word>(words.map((word) => [word.toLowerCase(), word]))
  for (const [alias, word] of Object.entries(aliases)) known.set(alias.toLowerCase(), word)
  const also = Object.keys(aliases)
  const name = `one of ${words.join(', ')}${also.length === 0 ? '' : ` (also spelt ${also.join(', ')})`}`
  return textCodec(name, (input) => {
    const word = known.get(input.trim().toLowerCase())
    if (word !== undefined) return E.right(word)
    const meant = nearest(input.trim(), words)
    return E.left(meant === null ? name : `${name}; did you mean ${meant}?`)
  })
}

/** What either of two codecs takes: words or a number, say. The first is asked first. */
export function either<A extends string | number, B extends string | number>(
  first: t.Type<A, string, string>,
  second: t.Type<B, string, string>,
): t.Type<A | B, string, string> {
  const name = `${first.name}, or ${second.name}`
  return textCodec<A | B>(name, (input) => {
    const decoded = first.decode(input)
    if (E.isRight(decoded)) return decoded
    const other = second.decode(input)
    return E.isRight(other) ? other : E.left(name)
  })
}

/** true or false; also yes and no, on and off. */
export const flag: t.Type<boolean, string, string> = textCodec<boolean>('true or false', (input) => {
  const word = input.trim().toLowerCase()
  if (['true', 'yes', 'on'].includes(word)) return E.right(true)
  if (['false', 'no', 'off'].includes(word)) return E.right(false)
  return E.left('true or false')
})

/** An address of a system. IPv6 hosts carry no brackets here. */
export interface HostPort {
  readonly host: string
  readonly port: number
}

/** `host:port`, with brackets around an IPv6 host. */
export function formatHostPort({ host, port }: HostPort): string {
  return `${host.includes(':') ? `[${host}]` : host}:${String(port)}`
}

/** One or more addresses, separated by commas; the port may be left out where `defaultPort` is given. */
export function hostPorts(defaultPort?: number): t.Type<readonly HostPort[], string, string> {
  const shape = defaultPort === undefined ? 'host:port' : `host or host:port (default ${String(defaultPort)})`
  const name = `a list of ${shape}, separated by commas`
  return textCodec(
    name,
    (input) => {
      const addresses: HostPort[] = []
      for (const part of input.split(',')) {
        const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:[\]/@]+))(?::(\d{1,5}))?$/.exec(part.trim())
        const host = match?.[1] ?? match?.[2]
        const port = match?.[3] === undefined ? defaultPort : Number(match[3])
        if (host === undefined || port === undefined || port < 1 || port > 65_535) {
          // What it is stays unsaid: an address may have been given with user and password.
          return E.left(part.includes('@') ? `${name}, without user and password` : name)
        }
        addresses.push({ host, port })
      }
      return E.right(addresses)
    },
    (value) => value.map(formatHostPort).join(','),
  )
}

const positionName = '<topic>:<partition>@<offset>'

/** Where one record stands: `orders:3@120`. */
export const recordPosition: t.Type<RecordPosition, string, string> = textCodec(
  positionName,
  (input) => {
    const [, topic, partition, offset] = /^([^:@]+):(\d{1,9})@(\d{1,16})$/.exec(input.trim()) ?? []
    if (!isTopicName(topic) || !Number.isSafeInteger(Number(offset))) return E.left(positionName)
    return E.right({ topic, partition: Number(partition), offset: Number(offset) })
  },
  ({ topic, partition, offset }) => `${topic}:${String(partition)}@${String(offset)}`,
)

/** What a job may be called, in words: the name stands in topics, paths and transactional ids. */
export const jobNameRule = '1 to 100 of the characters A-Z a-z 0-9 . _ -, and not dots alone'

/** Whether a job can have this name, in its file and where it is deployed. */
export function isJobName(name: string): boolean {
  return /^[A-Za-z0-9._-]{1,100}$/.test(name) && !/^\.+$/.test(name)
}

export const jobName = textThat(jobNameRule, isJobName)
