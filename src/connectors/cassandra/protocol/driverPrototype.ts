import { createRequire } from 'node:module'
import { TidemarkError } from '../../../core/errors.ts'

const requireHere = createRequire(import.meta.url)

/**
 * The prototype of a class that cassandra-driver keeps to itself, for methods of it to be wrapped: of the class that a file
 * is, or exports by a name. Throws `broken-invariant` where this version of the driver has no such methods.
 */
export function driverPrototype<Class extends object>(
  methods: readonly (keyof Class)[],
  { file, name, what }: { readonly file: string; readonly name?: string; readonly what: string },
): Class {
  const exported: unknown = requireHere(`cassandra-driver/lib/${file}`)
  const found = name === undefined ? exported : (exported as Partial<Record<string, unknown>>)[name]
  const prototype = typeof found === 'function' ? (found.prototype as Class) : null
  if (prototype !== null && methods.every((method) => typeof prototype[method] === 'function')) return prototype
  throw new TidemarkError('broken-invariant', `This version of cassandra-driver has no ${what} looked for.`)
}
