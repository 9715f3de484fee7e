/** A path into a JSON value, from its last step back to its first; building one costs no text. */
export interface JsonPath {
  readonly parent: JsonPath | undefined
  readonly key: string | number
  /** The number of steps. */
  readonly depth: number
}

const plainName = /^[A-Za-z_$][\w$]*$/
const maxKeyLength = 40
const maxPathLength = 160

/**
 * `a.b`, `a[3]`, `a["odd key"]`, at most 160 characters, cut in the middle. Keys are the message's: what is not
 * printable ASCII is escaped and a long one is cut, so that a path is safe in logs and headers.
 */
export function formatPath(path: JsonPath): string {
  const steps: string[] = []
  for (let at: JsonPath | undefined = path; at !== undefined; at = at.parent) steps.unshift(formatStep(at.key))
  const text = steps.join('').replace(/^\./, '')
  if (text.length <= maxPathLength) return text
  return `${text.slice(0, maxPathLength / 2 - 1)}…${text.slice(-maxPathLength / 2)}`
}

function formatStep(key: string | number): string {
  if (typeof key === 'number') return `[${String(key)}]`
  if (key.length > maxKeyLength) return `["${escapeText(key.slice(0, maxKeyLength))}…"]`
  return plainName.test(key) ? `.${key}` : `["${escapeText(key)}"]`
}

function escapeText(text: string): string {
  return text.replace(/[^\x20-\x7e]|["\\]/g, (unit) =>
    unit === '"' || unit === '\\' ? `\\${unit}` : `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
