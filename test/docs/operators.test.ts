import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import * as tidemark from 'tidemark'

const page = readFileSync('docs/operators.md', 'utf8')
const sections = [...page.matchAll(/^## (.+)$/gm)].flatMap(([, title = '']) => title.split(', '))
const readme = readFileSync('README.md', 'utf8')

describe.each(readdirSync('operators').map((file) => path.basename(file, '.ts')))('%s', (operator) => {
  test('is exported, has a section of docs/operators.md, and is in the table of the README', () => {
    expect(tidemark).toHaveProperty(operator, expect.any(Function))
    expect(sections).toContain(operator)
    expect(readme).toMatch(new RegExp(String.raw`^\|.*\b${operator}\b`, 'm'))
  })
})
