import { InvalidArgumentError } from 'commander'
import * as E from 'fp-ts/lib/Either.js'
import type { Type } from 'io-ts'

/** A codec of a setting as the parser of a command-line option; commander prints what was expected. */
export function optionValue<A>(codec: Type<A, string, string>): (text: string) => A {
  return (text) => {
    const decoded = codec.decode(text)
    if (E.isRight(decoded)) return decoded.right
    throw new InvalidArgumentError(`Expected ${decoded.left[0]?.message ?? codec.name}.`)
  }
}
