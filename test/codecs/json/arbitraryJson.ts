import { fc } from '@fast-check/vitest'

const key = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 20 }),
  fc.constantFrom('payload', '__proto__', 'constructor', 'toString', '10', '2', '', 'a"b', 'a\\', '{[,:'),
)

/** Number tokens, most of them not what a double prints. */
export const numberToken = fc.oneof(
  fc.constantFrom('0', '-0', '1.10', '1e2', '1E+400', '-1.5', '0.000001', '0.0000001', '9007199254740993', '1.0'),
  fc.integer().map(String),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((double) => String(double)),
  fc.stringMatching(/^-?(0|[1-9][0-9]{0,24})(\.[0-9]{1,12})?([eE][-+]?[0-9]{1,3})?$/),
)

const space = fc.constantFrom('', '', '', ' ', '\n', ' \t\r\n')

/** A string's JSON text, at random with every character escaped. */
function stringText(text: fc.Arbitrary<string>): fc.Arbitrary<string> {
  return fc.tuple(text, fc.boolean()).map(([value, escaped]) => {
    if (!escaped) return JSON.stringify(value)
    const units = Array.from({ length: value.length }, (_, index) => value.charCodeAt(index))
    return `"${units.map((unit) => `\\u${unit.toString(16).padStart(4, '0')}`).join('')}"`
  })
}

const text = fc.letrec<{ value: string; array: string; object: string }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    numberToken,
    stringText(fc.string({ unit: 'binary', maxLength: 30 })),
    stringText(fc.constantFrom('2026-01-01T00:00:00.000Z', ',1.10,', '":1.10}', '\\', '"', 'a'.repeat(20))),
    fc.constantFrom('true', 'false', 'null'),
    tie('array'),
    tie('object'),
  ),
  array: fc
    .tuple(space, fc.array(fc.tuple(tie('value'), space), { maxLength: 5 }))
    .map(([before, items]) => `[${before}${items.map(([item, after]) => `${before}${item}${after}`).join(',')}]`),
  object: fc
    .tuple(space, fc.array(fc.tuple(stringText(key), tie('value'), space), { maxLength: 6 }))
    .map(
      ([before, members]) =>
        `{${before}${members.map(([name, item, after]) => `${after}${name}${after}:${before}${item}${after}`).join(',')}}`,
    ),
}))

/** JSON text with odd whitespace, escapes, number spellings, duplicate and hostile keys. */
export const jsonText = fc.tuple(space, text.value, space).map((parts) => parts.join(''))

/** The same, always an object. */
export const objectText = fc.tuple(space, text.object, space).map((parts) => parts.join(''))
