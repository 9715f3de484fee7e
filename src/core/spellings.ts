/** From so few characters no encoded form: it would be the beginning of other words. */
const shortestEncoded = 8

/** What no encoding of text spells in another way. */
const plain = /^[\w.~-]$/

const entities: Readonly<Record<string, string>> = { '&': 'amp', '<': 'lt', '>': 'gt', '"': 'quot', "'": 'apos' }
const quotesAndSlash: ReadonlySet<string> = new Set(['"', "'", '`', '/'])
const jsonEscapes: Readonly<Record<string, string>> = { '\n': 'n', '\r': 'r', '\t': 't', '\b': 'b', '\f': 'f' }

/**
 * A regular expression's source for a text as anything may spell it: as it is, or each of its characters as JSON (also in JSON
 * again), JavaScript, `visible`, a URL, a form or HTML have it.
 */
export function spelledAnyhow(text: string): string {
  return Array.from(text, spellingsOf).join('')
}

/** Sources for hexadecimal digits and base64 of a text, which say it in other characters. */
export function encodedForms(text: string): readonly string[] {
  const bytes = Buffer.from(text)
  const hex = bytes.toString('hex')
  const found = hex.length >= shortestEncoded ? [anyCase(hex)] : []
  return [
    ...found,
    ...base64Forms(bytes)
      .filter(({ length }) => length >= shortestEncoded)
      .map(literally),
  ]
}

function spellingsOf(character: string): string {
  if (plain.test(character)) return literally(character)
  const code = character.codePointAt(0) ?? 0
  const hex = anyCase(code.toString(16))
  const units = Array.from({ length: character.length }, (_, i) =>
    character.charCodeAt(i).toString(16).padStart(4, '0'),
  )
  const bytes = [...Buffer.from(character)].map((byte) => `%${anyCase(byte.toString(16).padStart(2, '0'))}`)
  // JSON in JSON doubles backslashes; how often is bounded, because a hostile text may have a million of them.
  const escaped = quotesAndSlash.has(character) ? String.raw`\\{0,8}` : ''
  const spelt = [
    character === '\\' ? String.raw`\\{1,8}` : `${escaped}${literally(character)}`,
    units.map((unit) => String.raw`\\{1,8}u${anyCase(unit)}`).join(''),
    String.raw`\\{1,8}u\{0*${hex}\}`,
    bytes.join(''),
    `&#(?:0*${String(code)}|[xX]0*${hex});`,
  ]
  if (code <= 0xff) spelt.push(String.raw`\\{1,8}x${anyCase(code.toString(16).padStart(2, '0'))}`)
  if (character === ' ') spelt.push(String.raw`\+`)
  const entity = entities[character]
  if (entity !== undefined) spelt.push(`&${entity};`)
  const escape = jsonEscapes[character]
  if (escape !== undefined) spelt.push(String.raw`\\{1,8}${escape}`)
  return `(?:${spelt.join('|')})`
}

/**
 * Base64 of something that the bytes are a part of, as `user:password` or a SASL message: three bytes become four characters,
 * so there are three places where they may begin. What depends on the bytes beside them is left out.
 */
function base64Forms(bytes: Buffer): readonly string[] {
  return [0, 1, 2].flatMap((shift) => {
    const encoded = Buffer.concat([Buffer.alloc(shift), bytes])
    const begin = [0, 2, 3][shift]
    const end = Math.floor((encoded.length * 8) / 6)
    return [encoded.toString('base64').slice(begin, end), encoded.toString('base64url').slice(begin, end)]
  })
}

/** Digits of hexadecimal numbers, small or capital. */
function anyCase(hex: string): string {
  return hex.replaceAll(/[a-f]/g, (digit) => `[${digit}${digit.toUpperCase()}]`)
}

function literally(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|/]/g, String.raw`\$&`)
}
