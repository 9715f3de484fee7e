import { existsSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { readPage, repository, tableUnder } from './documentation.ts'

/** `test/a/b.test.ts`, or with the words by which the test is found in it: `test/a/b.test.ts`: "words". */
const place = /^`(test\/[^`]+)`(?:: "(.+)")?$/

const rows = tableUnder(readPage('docs/proof.md'), '## Faults that were found').map(
  ([fault = '', test_ = '', commit = '']) => {
    const [, file = '', words = ''] = place.exec(test_) ?? []
    return { fault, file, words, commit }
  },
)

describe('docs/proof.md', () => {
  test('has a test and a commit for every fault', () => {
    expect(rows.length).toBeGreaterThan(60)
    expect(rows.filter(({ file, commit }) => file === '' || !/^[0-9a-f]{7,12}$/.test(commit))).toEqual([])
  })

  test.each(rows)('$fault: $file "$words"', ({ file, words }) => {
    const url = new URL(file, repository)
    expect(existsSync(url)).toBe(true)
    expect(readFileSync(url, 'utf8')).toContain(words)
  })
})
