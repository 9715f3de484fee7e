import type { TidemarkError } from '../../../core/errors.ts'
import { invalidSetting } from './kafkaSettings.ts'

/** A line of a Java login configuration. */
export interface JaasConfig {
  /** The login module's class, without its package. */
  readonly module: string
  readonly options: ReadonlyMap<string, string>
}

const entry = /^\s*([\w.$]+)\s+(?:required|requisite|sufficient|optional)\b/i
/** A value in single or double quotes, with backslashes before quotes and backslashes in it, or a bare word. */
const option = /\s*([\w.]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|([^\s;"']+))/y

/**
 * Reads `sasl.jaas.config`: `<class> required name="value" …;`. Throws `invalid-setting`, which never quotes the text,
 * because it holds a password.
 */
export function parseJaasConfig(text: string): JaasConfig {
  const head = entry.exec(text)
  if (head === null) throw invalid('it does not begin with the class of a login module and the word required')
  const options = new Map<string, string>()
  let at = head[0].length
  for (;;) {
    option.lastIndex = at
    const found = option.exec(text)
    if (found === null) break
    const [whole, name = '', double, single, bare] = found
    options.set(name, double?.replaceAll(/\\(.)/g, '$1') ?? single?.replaceAll(/\\(.)/g, '$1') ?? bare ?? '')
    at += whole.length
  }
  if (!/^\s*;\s*$/.test(text.slice(at)))
    throw invalid(`what stands after ${String(options.size)} options is not name="value" or a closing semicolon`)
  return { module: head[1]?.split('.').at(-1) ?? '', options }
}

function invalid(problem: string): TidemarkError {
  return invalidSetting(
    'sasl.jaas.config',
    `sasl.jaas.config cannot be read: ${problem}. Example: org.apache.kafka.common.security.plain.PlainLoginModule required username="…" password="…";`,
  )
}
