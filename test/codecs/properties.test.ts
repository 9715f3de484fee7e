import { expect, test } from 'vitest'
import { parseProperties } from '../../src/codecs/properties.ts'

test('every separator, comments, escapes and continuation lines are read as Java reads them', () => {
  const { values } = parseProperties(
    ['# comment', '! comment', 'a=1', 'b : 2', 'c 3', '  d = x=y:z ', 'e=one,\\', '   two', 'f=\\u00e9\\t|', 'g'].join(
      '\n',
    ),
  )
  expect(Object.fromEntries(values)).toEqual({
    a: '1',
    b: '2',
    c: '3',
    d: 'x=y:z ',
    e: 'one,two',
    f: 'é\t|',
    g: '',
  })
})

test.each([
  ['line feeds', '\n'],
  ['carriage returns and line feeds', '\r\n'],
])('each key has the number of its line, with %s', (_, newline) => {
  const { lines } = parseProperties(['# top', '', 'a=1', 'b=x\\', '  y', '', '  c=3', 'd'].join(newline))
  expect(Object.fromEntries(lines)).toEqual({ a: 3, b: 4, c: 7, d: 8 })
})

test('of duplicate keys the last wins and each overridden line is reported', () => {
  const { values, lines, duplicates } = parseProperties('a=1\nb=2\na=3\n\na=4\n')
  expect(values.get('a')).toBe('4')
  expect(lines.get('a')).toBe(5)
  expect(duplicates).toEqual([
    { key: 'a', line: 5, overriddenLine: 1 },
    { key: 'a', line: 5, overriddenLine: 3 },
  ])
})

test('a byte order mark at the start is not part of the first key', () => {
  expect([...parseProperties('\uFEFFa=1').values.keys()]).toEqual(['a'])
})

test('keys named like members of Object are ordinary keys', () => {
  const { values } = parseProperties('__proto__=1\nconstructor=2')
  expect([...values]).toEqual([
    ['__proto__', '1'],
    ['constructor', '2'],
  ])
})

test('an empty file has no values', () => {
  expect(parseProperties('').values.size).toBe(0)
})
