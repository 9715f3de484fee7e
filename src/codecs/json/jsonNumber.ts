/**
 * A JSON number whose source text a double does not hold: more digits than it keeps, or another spelling of it. Only
 * `parseJson` in mode `exact` makes these. The text is the message's and may be millions of digits long.
 *
 * `t.record`, `t.partial` and `t.UnknownRecord` of io-ts take it for an object; `jsonRecord` and `t.type` do not.
 */
export class JsonNumber {
  readonly source: string

  constructor(source: string) {
    this.source = source
  }
}

/** True for what stands in braces in JSON: no array, no null, no `JsonNumber`. */
export function isJsonObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof JsonNumber)
}
