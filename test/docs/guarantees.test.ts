import { existsSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { readPage, repository } from './documentation.ts'

const { text } = readPage('docs/guarantees.md')

const named = [...text.matchAll(/^- `(test\/[^`]+)`: "([^"]+)"$/gm)].map(([, file = '', name = '']) => ({ file, name }))

describe('docs/guarantees.md', () => {
  test('names a test for every promise', () => {
    // What follows each promise, which is a quotation.
    const proofs = text.split(/(?:^> .*\n)+/m).slice(1)
    expect(proofs.filter((proof) => !/^- `test\//m.test(proof))).toEqual([])
    expect(named.length).toBeGreaterThan(20)
  })

  test('has all lines about tests in the form that is held here', () => {
    expect(text.match(/^- `test\//gm)?.length).toBe(named.length)
  })

  test.each(named)('$file has the test "$name"', ({ file, name }) => {
    const url = new URL(file, repository)
    expect(existsSync(url)).toBe(true)
    const source = readFileSync(url, 'utf8')
    expect(['"', "'", '`'].some((quote) => source.includes(`${quote}${name}${quote}`))).toBe(true)
  })
})
