import { TidemarkError } from '../core/errors.ts'
import type { StateCodec } from '../core/ports/keyedState.ts'

/** Deepest nesting of a state; far from the end of the stack. */
const maxDepth = 1_000

/**
 * State as canonical JSON: members ordered by name, no spaces, so that equal states have equal bytes. What JSON would change
 * silently is refused: `undefined` in an array, NaN, dates, maps, classes, functions, bigints. A member that is `undefined`
 * counts as absent, -0 as 0, and a member named `__proto__` is an ordinary one.
 *
 * `encode` throws `pipeline-failed` with the path: the job made the state, so it is no record's fault. `decode` throws
 * `corrupt-store`; it takes the bytes for an `S`, so a job that changes what its state looks like must read the old one.
 */
export function jsonState<S>(): StateCodec<S> {
  return {
    encode: (state) => Buffer.from(canonical(state, 'state', 0)),
    decode(bytes) {
      try {
        return JSON.parse(bytes.toString('utf8')) as S
      } catch (cause) {
        throw new TidemarkError('corrupt-store', 'A stored state is not the JSON that was written.', { cause })
      }
    },
  }
}

function canonical(value: unknown, path: string, depth: number): string {
  if (depth > maxDepth) throw unfit('the state', `nested deeper than ${String(maxDepth)} levels`)
  switch (typeof value) {
    case 'string':
      return JSON.stringify(value)
    case 'boolean':
      return String(value)
    case 'number':
      if (!Number.isFinite(value)) throw unfit(path, String(value))
      return JSON.stringify(value)
    case 'object':
      if (value === null) return 'null'
      if (Array.isArray(value)) return `[${elements(value, path, depth).join(',')}]`
      if (isPlain(value)) return `{${members(value, path, depth).join(',')}}`
      throw unfit(path, `a ${value.constructor.name}`)
    default:
      throw unfit(path, `a ${typeof value}`)
  }
}

function elements(array: readonly unknown[], path: string, depth: number): string[] {
  // Array.from visits holes too, which map would skip.
  return Array.from(array, (element, index) => canonical(element, `${path}[${String(index)}]`, depth + 1))
}

function members(object: object, path: string, depth: number): string[] {
  return Object.entries(object)
    .filter(([, member]) => member !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, member]) => `${JSON.stringify(name)}:${canonical(member, `${path}.${name}`, depth + 1)}`)
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === null || prototype === Object.prototype
}

function unfit(path: string, what: string): TidemarkError {
  return new TidemarkError(
    'pipeline-failed',
    `${path} is ${what}, which JSON does not give back as it was; keep plain data in the state or give mapWithState a codec`,
  )
}
