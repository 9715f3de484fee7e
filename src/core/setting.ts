import * as E from 'fp-ts/lib/Either.js'
import type { Validation } from 'io-ts'
import { TidemarkError } from './errors.ts'

/**
 * One setting as its owner declares it. Settings are texts until they are decoded, wherever they were set; the key is the
 * name under which the spec stands in `SettingSpecs`.
 */
export interface SettingSpec<A> {
  /** What a valid text is: `an integer of at least 1`. Ends the sentence "expected …". */
  readonly expected: string
  /** One sentence on what the setting does, with its unit. */
  readonly meaning: string
  /** A valid text. */
  readonly example: string
  /** Never printed, logged or quoted in an error; where an error of something else quotes it, it is masked. */
  readonly secret: boolean
  /** Null: there is none. */
  readonly default: { readonly value: A } | null
  /** The default where it follows from the name under which the job is deployed; null: it does not. */
  readonly defaultFor: ((job: string) => A) | null
  /** True when the setting may be absent without a default; its value is then undefined. */
  readonly optional: boolean
  /** Left: what was expected. */
  decode(text: string): E.Either<string, A>
  encode(value: A): string
}

/** Settings by their full key: `reconcile.input.topic`. */
export type SettingSpecs = Readonly<Record<string, SettingSpec<unknown>>>

/** The decoded values of some specs, by the same keys. */
export type SettingsOf<Specs extends SettingSpecs> = {
  readonly [Key in keyof Specs]: Specs[Key] extends SettingSpec<infer A> ? A : never
}

/** An io-ts codec that reads text: those of settingCodecs.ts, and any codec that decodes unknown. */
export interface SettingCodec<A> {
  /** Says what a valid text is. */
  readonly name: string
  decode(text: string): Validation<A>
  encode(value: A): string | number | boolean
}

/**
 * A wrong value as an error may quote it: a small number, with a unit or without, which is a mistake worth seeing and no
 * secret. Null for everything else: whoever mistook one line or one flag for another has a password or a key in it, also where
 * the setting itself is none. The error names the place instead.
 */
export function shownValue(text: string): string | null {
  const trimmed = text.trim()
  return /^[+-]?\d{1,6}(\.\d{1,3})?\s?[a-z]{0,3}$/i.test(trimmed) ? trimmed : null
}

interface SettingOptions<A, Optional> {
  readonly meaning: string
  readonly example: string
  readonly secret?: boolean
  readonly default?: Optional extends true ? never : A
  readonly defaultFor?: Optional extends true ? never : (job: string) => A
  readonly optional?: Optional
}

/**
 * Declares a setting: with a `default`, or a `defaultFor` the name under which the job is deployed (`job.name`), or
 * `optional` (undefined when absent), or else required.
 *
 *     settings: { 'orders.topic': setting(text, { meaning: 'Topic that is read.', example: 'orders' }) }
 *
 * Throws `invalid-argument` when the example is not a value that the codec takes.
 */
export function setting<A, Optional extends true | undefined = undefined>(
  codec: SettingCodec<A>,
  options: SettingOptions<NoInfer<A>, Optional>,
): SettingSpec<Optional extends true ? A | undefined : A>
export function setting<A>(codec: SettingCodec<A>, options: SettingOptions<A, true | undefined>): SettingSpec<A> {
  const spec: SettingSpec<A> = {
    expected: codec.name,
    meaning: options.meaning,
    example: options.example,
    secret: options.secret ?? false,
    default: options.default === undefined ? null : { value: options.default },
    defaultFor: options.defaultFor ?? null,
    optional: options.optional ?? false,
    decode(text) {
      const decoded = codec.decode(text)
      if (E.isRight(decoded)) return decoded
      return E.left(decoded.left.find(({ message }) => message !== undefined)?.message ?? codec.name)
    },
    encode: (value) => String(codec.encode(value)),
  }
  const example = spec.decode(options.example)
  if (E.isLeft(example)) {
    throw new TidemarkError(
      'invalid-argument',
      `The example '${options.example}' of a setting is not a value it can have: expected ${example.left}.`,
    )
  }
  return spec
}
