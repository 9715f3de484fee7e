import { describe, expect, test } from 'vitest'
import { visible, visibleJson, visibleLines } from '../../src/core/visible.ts'

const invisible = {
  'a C0 control': '\u001B',
  'a delete': '\u007F',
  'a C1 control': '\u009B',
  'a direction override': '\u202E',
  'a direction embedding': '\u202A',
  'an isolate': '\u2066',
  'a direction mark': '\u200F',
  'the Arabic letter mark': '\u061C',
  'a zero-width space': '\u200B',
  'a zero-width joiner': '\u200D',
  'a byte order mark': '\uFEFF',
  'a line separator': '\u2028',
  'a paragraph separator': '\u2029',
  'a soft hyphen': '\u00AD',
  'a variation selector': '\uFE0F',
  'a filler': '\u3164',
  'an annotation': '\uFFF9',
  'a tag': '\u{E0041}',
  'a variation selector of another plane': '\u{E0100}',
  'half of a surrogate pair': '\uD800',
  'the other half': '\uDC00',
}

describe.each(Object.entries(invisible))('%s', (_, character) => {
  test('is an escape of letters and digits', () => {
    for (const shown of [visible(`a${character}b`), visibleLines(`a${character}b`)]) {
      expect(shown).toMatch(/^a\\(x[0-9a-f]{2}|u[0-9a-f]{4}|u\{[0-9a-f]{5}\})b$/)
    }
  })

  test('is an escape of JSON inside of JSON, which means the same', () => {
    const value = { [`k${character}`]: `v${character}`, list: [character] }
    const shown = visibleJson(JSON.stringify(value))
    expect(shown).toMatch(/^[\x20-\x7e]+$/)
    expect(JSON.parse(shown)).toEqual(value)
  })
})

test('letters, tabs, and what is seen stay', () => {
  const text = 'a\tä 語 😀 \u0627\u0644 \\x1b'
  expect([visible(text), visibleLines(text), visibleJson(text)]).toEqual([text, text, text])
})

test.each([
  ['Persian', 'می\u200Cخواهم'],
  ['Hindi', 'क्\u200Dष'],
  ['Sinhala', 'ශ්\u200Dරී'],
  ['a family', '👨\u200D👩\u200D👧'],
  ['a colour of skin', '👩🏽\u200D🚀'],
  ['a heart', '❤\uFE0F\u200D🔥'],
])('what joins letters and emoji stays: %s', (_, text) => {
  expect([visible(text), visibleLines(text), visibleJson(text)]).toEqual([text, text, text])
})

test.each([
  'а\u200Dр',
  'α\u200Cβ',
  '1\u200D2',
  'می\u200C',
  '\u200Cمی',
  'م\u200C\u200Cی',
  'a\uFE0F',
  '1\uFE0F',
  '👨\u200D',
  '語\u200D語',
])('where it joins nothing it is an escape: %j', (text) => {
  expect(visible(text)).toMatch(/\\u(200c|200d|fe0f)/)
})

test('a newline is an escape in a line, and stays between lines', () => {
  expect(visible('a\r\nb')).toBe('a\\x0d\\x0ab')
  expect(visibleLines('a\r\nb')).toBe('a\\x0d\nb')
  expect(visibleJson('{\n  "a": "\\n"\n}')).toBe('{\n  "a": "\\n"\n}')
})
