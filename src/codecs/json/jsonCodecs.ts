import { isLeft } from 'fp-ts/lib/Either.js'
import * as t from 'io-ts'
import { isJsonObject } from './jsonNumber.ts'

/**
 * Any JSON value, null included, that is really there: `t.type({ payload: present })` refuses a message without
 * `payload`, where `t.unknown` would decode it as undefined.
 */
export const present: t.Type<unknown> = new t.Type(
  'JSON value',
  (value): value is unknown => value !== undefined,
  (value, context) => (value === undefined ? t.failure(value, context) : t.success(value)),
  t.identity,
)

/** See `jsonRecord`. */
export class JsonRecordType<C extends t.Mixed> extends t.Type<
  Readonly<Record<string, t.TypeOf<C>>>,
  Readonly<Record<string, t.OutputOf<C>>>
> {
  readonly codomain: C

  constructor(codomain: C, name: string) {
    super(
      name,
      (value): value is Readonly<Record<string, t.TypeOf<C>>> =>
        isJsonObject(value) && Object.values(value).every((member) => codomain.is(member)),
      (value, context) => {
        if (!isJsonObject(value)) return t.failure(value, context)
        const entries: [string, unknown][] = []
        let changed = false
        for (const [key, member] of Object.entries(value)) {
          const result = codomain.validate(member, t.appendContext(context, key, codomain, member))
          if (isLeft(result)) return result
          const decoded: unknown = result.right
          changed ||= decoded !== member
          entries.push([key, decoded])
        }
        return t.success(changed ? Object.fromEntries(entries) : value)
      },
      (record) => Object.fromEntries(Object.entries(record).map(([key, member]) => [key, codomain.encode(member)])),
    )
    this.codomain = codomain
  }
}

/**
 * An object whose members are all of one type, for objects with keys that the message chooses. Unlike `t.record` it
 * keeps a `__proto__` member an ordinary one, and stops at the first bad member instead of collecting an error for each
 * of a million.
 */
export function jsonRecord<C extends t.Mixed>(codomain: C, name = `{ [key]: ${codomain.name} }`): JsonRecordType<C> {
  return new JsonRecordType(codomain, name)
}

export function isJsonRecord(codec: t.Mixed): codec is JsonRecordType<t.Mixed> {
  return codec instanceof JsonRecordType
}
