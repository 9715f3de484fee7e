/** Any JSON that was stored; undefined for bytes or a text that are none. */
export function parseStored(stored: Buffer | string | null): unknown {
  if (stored === null) return undefined
  try {
    return JSON.parse(stored.toString())
  } catch {
    return undefined
  }
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** An epoch, an offset, a generation: what is counted from 0 on. */
export function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}
