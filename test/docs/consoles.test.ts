import { mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, test } from 'vitest'
import { consoleSteps, matcher, runCommand } from './consoleSession.ts'
import { codeBlocks, pages, repository } from './documentation.ts'

/** Every ```console block in docs/, page by page in one directory, where jobs/ is that of the repository. */
const sessions = pages()
  .map((page) => ({ page: page.path, blocks: codeBlocks(page).filter(({ language }) => language === 'console') }))
  .filter(({ blocks }) => blocks.length > 0)

const directories: string[] = []

afterAll(() => {
  for (const directory of directories) rmSync(directory, { recursive: true, force: true })
})

test('there are sessions', () => {
  expect(sessions.length).toBeGreaterThan(1)
})

describe.each(sessions)('$page', ({ blocks }) => {
  const directory = mkdtempSync(path.join(tmpdir(), 'tidemark-docs-'))
  directories.push(directory)
  symlinkSync(fileURLToPath(new URL('jobs', repository)), path.join(directory, 'jobs'))

  const steps = blocks.flatMap(({ code, line }) => consoleSteps(code).map((step) => ({ line, ...step })))

  test.each(steps)('line $line: $command', async ({ command, expected }) => {
    expect(await runCommand(command, directory)).toMatch(matcher(expected))
  })
})
