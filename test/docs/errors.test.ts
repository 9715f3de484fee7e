import { describe, expect, test } from 'vitest'
import { exitCodeOf } from '../../src/cli/output/errorText.ts'
import { errorCodes, TidemarkError, type ErrorCode } from '../../src/core/errors.ts'
import { readPage, tableUnder } from './documentation.ts'

const documented = tableUnder(readPage('docs/errors.md'), '## All codes').map(
  ([code = '', kind = '', exit = '', meaning = '', remedy = '']) => ({
    code: code.replaceAll('`', ''),
    kind: kind.replaceAll('`', ''),
    exit,
    meaning: meaning.replaceAll('`', ''),
    remedy,
  }),
)

const known = Object.keys(errorCodes) as ErrorCode[]

describe('docs/errors.md', () => {
  test('has the codes of src/core/errors.ts, in its order', () => {
    expect(documented.map(({ code }) => code)).toEqual(known)
  })

  test.each(known)('says of %s what the code says', (code) => {
    const { kind, summary } = errorCodes[code]
    expect(documented.find((line) => line.code === code)).toMatchObject({
      kind,
      exit: String(exitCodeOf(new TidemarkError(code, ''))),
      meaning: summary,
    })
  })

  test('says what to do about each', () => {
    expect(documented.filter(({ remedy }) => remedy.length < 10)).toEqual([])
  })
})
