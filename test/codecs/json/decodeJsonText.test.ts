import { fc, test as property } from '@fast-check/vitest'
import { expect, test } from 'vitest'
import { TidemarkError } from '../../../src/core/errors.ts'
import { decodeJsonText } from '../../../src/codecs/json/decodeJsonText.ts'
import { parseJson } from '../../../src/codecs/json/parseJson.ts'

test.each([
  ['no bytes', '', 'empty-value'],
  ['a byte that UTF-8 never has', 'ff', 'invalid-utf8'],
  ['an overlong slash', 'c0af', 'invalid-utf8'],
  ['half a surrogate pair', 'eda080', 'invalid-utf8'],
  ['a sequence cut short', '22e282', 'invalid-utf8'],
  ['UTF-16 with its mark', 'fffe7b007d00', 'invalid-utf8'],
  ['a byte order mark', 'efbbbf7b7d', 'byte-order-mark'],
])('%s are refused with the code for it', (_, hex, code) => {
  expect(() => decodeJsonText(Buffer.from(hex, 'hex'))).toThrow(expect.objectContaining({ code, kind: 'record' }))
})

property.prop([fc.string({ unit: 'binary', minLength: 1 }).filter((text) => !text.startsWith('\uFEFF'))])(
  'a text comes back from its bytes as it was',
  (text) => {
    expect(decodeJsonText(Buffer.from(text))).toBe(text)
  },
)

property.prop([
  fc.oneof(
    fc.uint8Array(),
    fc.string().map((text) => Buffer.from(text)),
  ),
  fc.constantFrom('double', 'exact'),
])('arbitrary bytes either parse or raise an error of kind record', (bytes, numbers) => {
  try {
    parseJson(decodeJsonText(Buffer.from(bytes)), { numbers })
  } catch (error) {
    expect(error).toBeInstanceOf(TidemarkError)
    expect((error as TidemarkError).kind).toBe('record')
  }
})
