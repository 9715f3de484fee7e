import { spawnSync } from 'node:child_process'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, test } from 'vitest'
import { codeBlocks, pages, repository, type CodeBlock } from './documentation.ts'

/**
 * Every block of TypeScript in docs/ is a module of its own, type-checked as this repository is and run; one that imports
 * vitest is run as a test file. A block whose
 * fence says `continued` goes on where the block before it ended. A job file of a page is found under its fence's name:
 * "ts jobs/count.ts" is imported as './jobs/count.ts' by the blocks of the same page.
 *
 * The modules stand in a directory inside the package, because only there `import … from 'tidemark'` means this package;
 * its name begins with a dot, so that no other tool takes them for sources.
 */
const directory = new URL(`test/docs/.snippets-${String(process.pid)}/`, repository)

interface Snippet {
  readonly title: string
  readonly file: URL
  readonly code: string
}

const blocks = pages()
  .flatMap(codeBlocks)
  .filter(({ language }) => language === 'ts')
const snippets = joined(blocks).map(snippetOf)

mkdirSync(directory, { recursive: true })
writeFileSync(new URL('.gitignore', directory), '*\n')
writeFileSync(
  new URL('tsconfig.json', directory),
  JSON.stringify({ extends: '../../../tsconfig.json', include: ['**/*.ts'] }),
)
for (const { file, code } of snippets) {
  mkdirSync(new URL('.', file), { recursive: true })
  writeFileSync(file, code)
}

afterAll(() => {
  rmSync(directory, { recursive: true, force: true })
})

/** One block for each module. */
function joined(all: readonly CodeBlock[]): readonly CodeBlock[] {
  const modules: CodeBlock[] = []
  for (const block of all) {
    const before = modules.at(-1)
    if (block.info !== 'continued') modules.push(block)
    else if (before?.page !== block.page) throw new Error(`${block.page}:${String(block.line)} continues nothing`)
    else modules[modules.length - 1] = { ...before, code: `${before.code}${block.code}` }
  }
  return modules
}

function snippetOf({ page, line, info, code }: CodeBlock): Snippet {
  const place = `${page.replace(/^docs\//, '').replace(/\.md$/, '')}/`
  const name = info.endsWith('.ts') ? info : `line-${String(line)}.ts`
  return { title: `${page}:${String(line)}`, file: new URL(`${place}${name}`, directory), code }
}

test('there are snippets', () => {
  expect(snippets.length).toBeGreaterThan(10)
})

test('all snippets have the types they use', () => {
  const { stdout } = spawnSync('tsc', ['--noEmit', '-p', fileURLToPath(directory)], { encoding: 'utf8' })
  expect(stdout).toBe('')
}, 120_000)

const isTest = ({ code }: Snippet): boolean => / from 'vitest'$/m.test(code)

describe('the snippet', () => {
  test.each(snippets.filter((snippet) => !isTest(snippet)))('at $title runs', async ({ file }) => {
    await expect(import(/* @vite-ignore */ file.href)).resolves.toBeDefined()
  })
})

// A snippet that is a test itself joins the tests of this file.
for (const { title, file } of snippets.filter(isTest)) {
  describe(`the test at ${title}`, async () => {
    await import(/* @vite-ignore */ file.href)
  })
}
