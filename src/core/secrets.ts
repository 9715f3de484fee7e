import { censored, maskHtmlText, maskJsonText, maskText } from './maskText.ts'
import { encodedForms, spelledAnyhow } from './spellings.ts'

/** A secret of fewer characters stands in every text: to mask it would take the texts apart and tell it all the same. */
const shortest = 4

/** From so many characters on a declared secret is masked wherever it stands; below, where it stands alone. */
const longEnough = 8

/** A guess of fewer characters is not masked; one that reads like a name needs more, because it may be one. */
const shortestGuess = 8
const shortestNameLike = 12

/** From so many on a guess is masked wherever it stands, unless it reads like a name. */
const longGuess = 20

/**
 * What people call topics, groups, jobs and users, and what they count: words with a small number or none, and numbers, joined by
 * dots, dashes and underscores.
 */
const nameLike = /^(?:[a-z]+\d{0,3}|\d+)(?:[._-](?:[a-z]+\d{0,3}|\d+))*$/i

/** Where nothing that belongs to a longer name, a number with a point or a position (`orders:0@1234`) stands beside it. */
const alone = {
  before: String.raw`(?<![\p{L}\p{N}_]|[\p{L}\p{N}_][.-]|:\d{1,10}@)`,
  after: String.raw`(?![\p{L}\p{N}_]|[.-][\p{L}\p{N}_])`,
}

/**
 * Names of settings, variables and members whose values are secrets although nobody has declared them so. PWD is the working
 * directory of a shell.
 */
const secretName =
  /(?:password|passwd|passphrase|secret|token|credentials?|jaas|(?:api|private|access|secret|storage|account|signing|encryption)[._-]?key|[._-](?:pwd|pass|auth|pat))(?:[._-]?(?:config|value|key|base))*$/i

/** The same for what is short because it stands in a query. */
const secretParameter = /^(?:key|sig|signature|auth)$/i

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
 *
 * What is declared a secret is one. What only its name or its place tells is a guess: it must not damage what a command has to
 * say, so it is masked where it can hardly be anything else.
 */
export class Secrets {
  readonly #ordinary: ReadonlySet<string>
  /** Sources of regular expressions, with the length of what they find. */
  readonly #sources = new Map<string, number>()
  /** Those that may find a word of HTML's own. */
  readonly #words = new Set<string>()
  #pattern: RegExp | null = null
  #patternOfHtml: RegExp | null = null

  /** `ordinary`: words of our own texts. A password that is one of them is not masked, which would only point at it. */
  constructor(ordinary: Iterable<string> = []) {
    this.#ordinary = new Set([...ordinary].map((word) => word.toLowerCase()))
  }

  /** The value of a declared secret: itself, its parts, and what encoders make of them. */
  learn(secret: string): void {
    const { sure, likely } = partsOf(secret)
    for (const part of sure) this.#declare(part)
    for (const part of likely) this.#guess(part)
  }

  /** The value of something that is named like a secret. */
  guess(text: string): void {
    const { sure, likely } = partsOf(text)
    for (const part of [...sure, ...likely]) this.#guess(part)
    this.learnWithin(text)
  }

  /** The value of anything else: what it holds of userinfo, of parameters named like secrets, and of keys in PEM. */
  learnWithin(text: string): void {
    const keys = text.includes('-----BEGIN') ? linesOf(text) : []
    for (const part of [...keys, ...secretParametersOf(text)]) this.#guess(part)
    for (const info of userinfosOf(text)) {
      this.#guess(passwordOf(info))
      // Before its host it is nothing else, however short it is.
      const before = info.includes(':') ? String.raw`(?<![\p{L}\p{N}_.-])` : String.raw`(?<=:\/\/)`
      this.#add(info, `${before}${spelledAnyhow(info)}(?=@)`)
    }
  }

  /** The text with `***` for each secret. */
  mask(text: string): string {
    const pattern = this.#compiled()
    return pattern === null ? text : maskText(text, pattern)
  }

  /** The same for a JSON text, which stays one: only strings and names of members are masked. */
  maskJson(json: string): string {
    const pattern = this.#compiled()
    return pattern === null ? json : maskJsonText(json, (text) => maskText(text, pattern))
  }

  /** The same for a page, which stays one: names of elements and attributes and style sheets keep words that are secrets too. */
  maskHtml(html: string): string {
    const pattern = this.#compiled()
    if (pattern === null) return html
    // What is no word is masked first and everywhere: it may have what looks like a tag in it.
    const wordless = this.#patternOfHtml === null ? html : maskText(html, this.#patternOfHtml)
    return maskHtmlText(wordless, (text) => maskText(text, pattern))
  }

  #declare(part: string): void {
    if (part.length < shortest || this.#isOrdinary(part)) return
    this.#addForms(part, part.length >= longEnough && !/^\d+$/.test(part))
  }

  #guess(part: string): void {
    const isName = nameLike.test(part)
    if (part.length < (isName ? shortestNameLike : shortestGuess)) return
    if (this.#isOrdinary(part) || /^\d+$/.test(part)) return
    this.#addForms(part, !isName && part.length >= longGuess)
  }

  #isOrdinary(part: string): boolean {
    return this.#ordinary.has(part.toLowerCase())
  }

  #addForms(part: string, isAnywhere: boolean): void {
    const spelled = spelledAnyhow(part)
    this.#add(part, isAnywhere ? spelled : `${alone.before}${spelled}${alone.after}`)
    for (const form of encodedForms(part)) this.#add(form, form)
  }

  #add(text: string, source: string): void {
    if (this.#sources.has(source)) return
    this.#sources.set(source, text.length)
    if (/^[\w-]+$/.test(text)) this.#words.add(source)
    this.#pattern = null
  }

  #compiled(): RegExp | null {
    if (this.#pattern !== null || this.#sources.size === 0) return this.#pattern
    const sources = [...this.#sources].toSorted(([, a], [, b]) => b - a).map(([source]) => source)
    const wordless = sources.filter((source) => !this.#words.has(source))
    this.#patternOfHtml = wordless.length === 0 ? null : new RegExp(wordless.join('|'), 'gu')
    this.#pattern = new RegExp(sources.join('|'), 'gu')
    return this.#pattern
  }
}

interface Parts {
  /** As secret as the whole. */
  readonly sure: readonly string[]
  /** Of a connection string or a URL what is not named like a secret: a server, a database, a format. */
  readonly likely: readonly string[]
}

function partsOf(secret: string): Parts {
  const options = optionsOf(secret)
  const infos = userinfosOf(secret)
  return {
    sure: [
      ...[secret, secret.trim(), ...linesOf(secret), ...membersOf(secret)],
      ...[...options.sure, ...infos, ...infos.map(passwordOf), ...secretParametersOf(secret)],
    ],
    likely: options.likely,
  }
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

function optionsOf(text: string): Parts {
  const isLoginModule = /LoginModule/.test(text)
  const sure: string[] = []
  const likely: string[] = []
  const rest = text.replaceAll(
    assignment,
    (_, name: string, double?: string, single?: string, bare?: string): string => {
      const value = (double ?? single)?.replaceAll(/\\(.)/g, '$1') ?? bare ?? ''
      if (isLoginModule || isSecretName(name)) {
        if (!publicOptions.has(name)) sure.push(value)
      } else likely.push(value)
      return ' '
    },
  )
  // A login module that cannot be read: any word of it may be the password.
  const words = isLoginModule ? rest.split(/[\s;="',]+/).filter((word) => !/LoginModule/.test(word)) : []
  return { sure: [...sure, ...words.filter((word) => word.length >= longEnough)], likely }
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

/** As it stands, and as it was before it was spelt for a URL. */
function userinfosOf(text: string): readonly string[] {
  return (text.match(userinfo) ?? []).flatMap((info) => (info === '' ? [] : [info, decoded(info)]))
}

function passwordOf(info: string): string {
  return info.slice(info.indexOf(':') + 1)
}

/** Parameters of URLs that are named like secrets. */
function secretParametersOf(text: string): readonly string[] {
  return (text.match(query) ?? [])
    .flatMap((part) => part.slice(1).split(/[&;#]/))
    .flatMap((pair) => {
      const [name = '', ...value] = pair.split('=')
      return isSecretName(name) || secretParameter.test(name) ? [value.join('='), decoded(value.join('='))] : []
    })
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
