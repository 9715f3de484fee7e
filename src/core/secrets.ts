import { visible } from './visible.ts'

const censored = '***'

/** A secret of fewer characters stands in every text: to mask it would take the texts apart and tell it all the same. */
const shortest = 4

/** From so many characters on a secret is masked wherever it stands; below, where no letter or digit is beside it. */
const longEnough = 8

/**
 * Names of settings, variables and members whose values are secrets although nobody has declared them so. PWD is the working
 * directory of a shell.
 */
const secretName =
  /(?:(?:^|[._-])(?:password|passwd|passphrase|secret|token|credentials?|api[._-]?key|private[._-]?key|jaas)(?:[._-](?:config|value|key))?|[._-]pwd)$/i

/** `name=value` with quotes or without: options of a JAAS login module, connection strings, queries. */
const assignment = /([\w.-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|([^\s;&,"']+))/g

/** Of a login module: who somebody is, and not how it is proved. */
const publicOptions: ReadonlySet<string> = new Set([
  'username',
  'clientId',
  'scope',
  'serviceName',
  'principal',
  'unsecuredLoginStringClaim_sub',
])

export function isSecretName(name: string): boolean {
  return secretName.test(name)
}

/**
 * All secrets of a process, in every form in which a text may quote them. Whatever writes text for somebody else (terminal,
 * log, page, report, dead letters) asks this one object first; it is the only place that knows them.
 */
export class Secrets {
  readonly #ordinary: ReadonlySet<string>
  readonly #forms = new Set<string>()
  #pattern: RegExp | null = null

  /** `ordinary`: words of our own texts. A password that is one of them is not masked, which would only point at it. */
  constructor(ordinary: Iterable<string> = []) {
    this.#ordinary = new Set([...ordinary].map((word) => word.toLowerCase()))
  }

  /** The value of a secret: itself, its parts, and what encoders make of them. */
  learn(secret: string): void {
    for (const part of [secret, secret.trim(), ...linesOf(secret), ...optionsOf(secret), ...membersOf(secret)]) {
      this.#addForms(part)
    }
    this.learnWithin(secret)
  }

  /** The value of anything else: what it holds of userinfo, query and keys in PEM. */
  learnWithin(text: string): void {
    const keys = text.includes('-----BEGIN') ? linesOf(text) : []
    for (const part of [...keys, ...urlSecretsOf(text)]) this.#addForms(part)
  }

  /** The text with `***` for each secret. */
  mask(text: string): string {
    const pattern = this.#compiled()
    return pattern === null ? text : text.replaceAll(pattern, censored)
  }

  /** The same for a JSON text, which stays one: only strings and names of members are masked. */
  maskJson(json: string): string {
    const pattern = this.#compiled()
    if (pattern === null || json.search(pattern) === -1) return json
    return JSON.stringify(this.#maskIn(JSON.parse(json)))
  }

  #maskIn(value: unknown): unknown {
    if (typeof value === 'string') return this.mask(value)
    if (Array.isArray(value)) return value.map((item) => this.#maskIn(item))
    if (typeof value !== 'object' || value === null) return value
    return Object.fromEntries(Object.entries(value).map(([name, item]) => [this.mask(name), this.#maskIn(item)]))
  }

  #addForms(part: string): void {
    if (part.length < shortest || this.#ordinary.has(part.toLowerCase())) return
    const before = this.#forms.size
    for (const form of formsOf(part)) this.#forms.add(form)
    if (this.#forms.size > before) this.#pattern = null
  }

  #compiled(): RegExp | null {
    if (this.#forms.size === 0) return null
    this.#pattern ??= new RegExp(
      [...this.#forms]
        .toSorted((a, b) => b.length - a.length)
        .map(patternOf)
        .join('|'),
      'gu',
    )
    return this.#pattern
  }
}

function patternOf(form: string): string {
  const literal = form.replaceAll(/[\\^$.*+?()[\]{}|/]/g, String.raw`\$&`)
  return form.length >= longEnough ? literal : String.raw`(?<![\p{L}\p{N}])${literal}(?![\p{L}\p{N}])`
}

/** A text as it is, and as JSON, a URL, a form, HTML, hexadecimal digits and base64 have it. */
function formsOf(part: string): readonly string[] {
  const json = JSON.stringify(part).slice(1, -1)
  const spelt = [
    json,
    JSON.stringify(json).slice(1, -1),
    part.replaceAll("'", String.raw`\'`),
    visible(part),
    ...urlForms(part.toWellFormed()),
    part
      .replaceAll('&', '&amp;')
      .replaceAll('<', '&lt;')
      .replaceAll('>', '&gt;')
      .replaceAll('"', '&quot;')
      .replaceAll("'", '&#39;'),
  ]
  // Of few characters these would be the beginnings of other words.
  const encoded = [Buffer.from(part).toString('hex'), ...base64Forms(Buffer.from(part))]
  return [part, ...spelt, ...encoded.filter((form) => form.length >= longEnough)]
}

function urlForms(part: string): readonly string[] {
  const url = new URL('http://host')
  url.password = part
  url.search = part
  return [
    encodeURIComponent(part),
    url.password,
    url.search.slice(1),
    new URLSearchParams([['', part]]).toString().slice(1),
  ]
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

/** A key in PEM may be quoted line by line; its first and last lines are everybody's. */
function linesOf(text: string): readonly string[] {
  const lines = text.includes('-----BEGIN')
    ? text.replaceAll(/-----[A-Z ]+-----/g, ' ').split(/(?:\s|\\n)+/)
    : text.includes('\n')
      ? text.split(/\s*[\r\n]\s*/)
      : []
  return lines.filter((line) => line.length >= longEnough)
}

function optionsOf(text: string): readonly string[] {
  const isLoginModule = /LoginModule/.test(text)
  const found: string[] = []
  const rest = text.replaceAll(
    assignment,
    (_, name: string, double?: string, single?: string, bare?: string): string => {
      const value = (double ?? single)?.replaceAll(/\\(.)/g, '$1') ?? bare ?? ''
      if (!publicOptions.has(name)) found.push(value)
      return ' '
    },
  )
  // A login module that cannot be read: any word of it may be the password.
  const words = isLoginModule ? rest.split(/[\s;="',]+/).filter((word) => !/LoginModule/.test(word)) : []
  return [...found, ...words.filter((word) => word.length >= longEnough)]
}

/** Of a secret in JSON the members that are named as secrets. */
function membersOf(text: string): readonly string[] {
  if (!/^\s*[[{]/.test(text)) return []
  const found: string[] = []
  try {
    JSON.parse(text, (name, value: unknown) => {
      if (typeof value === 'string' && isSecretName(name)) found.push(value)
      return value
    })
  } catch {
    return []
  }
  return found
}

/** `scheme://userinfo@`, and `user:password@` as it stands in a list of addresses. */
const userinfo = /(?<=:\/\/)[^/?#\s]*(?=@)|(?<=^|[\s,])[^\s,/@:]+:[^\s,/@]+(?=@)/g

/** What stands in a URL behind the path. */
const query = /(?<=:\/\/[^\s?#]*)[?#]\S+/g

function urlSecretsOf(text: string): readonly string[] {
  const infos = text.match(userinfo) ?? []
  const passwords = infos.map((info) => info.slice(info.indexOf(':') + 1))
  const values = (text.match(query) ?? []).flatMap((part) =>
    part
      .slice(1)
      .split(/[&;#]/)
      .map((pair) => pair.slice(pair.indexOf('=') + 1)),
  )
  return [...infos, ...passwords, ...values].flatMap((part) => [part, decoded(part)])
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}

/** A text without what may be a secret in a URL: `https://***@host/path?***`. */
export function withoutUrlSecrets(text: string): string {
  return text.replaceAll(userinfo, censored).replaceAll(query, (part) => `${part.charAt(0)}${censored}`)
}
