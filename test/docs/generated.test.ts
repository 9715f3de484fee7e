import { format, resolveConfig } from 'prettier'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { generators } from './generators.ts'
import { pages, repository } from './documentation.ts'

/**
 * Parts of the pages are made from the code:
 *
 *     <!-- generated: <name> -->
 *     …
 *     <!-- end -->
 *
 * `npx vitest run test/docs -u` writes them anew.
 */
const generated = /(<!-- generated: ([\w-]+) -->\n)([\s\S]*?)(<!-- end -->)/g

const withBlocks = pages().filter(({ text }) => text.search(generated) !== -1)

test('every generator is used once', () => {
  const used = withBlocks.flatMap(({ text }) => [...text.matchAll(generated)].map(([, , name = '']) => name))
  expect(used.toSorted()).toEqual(Object.keys(generators).toSorted())
})

describe.each(withBlocks)('$path', ({ path, text }) => {
  test('says what the code says (npx vitest run test/docs -u writes it anew)', async () => {
    const config = await resolveConfig(fileURLToPath(new URL('package.json', repository)))
    let next = text
    for (const [whole, open = '', name = '', , close = ''] of text.matchAll(generated)) {
      const content = await generators[name]?.()
      if (content === undefined) throw new Error(`There is no generator named ${name}`)
      const formatted = await format(content, { ...config, parser: 'markdown' })
      next = next.replace(whole, () => `${open}\n${formatted}\n${close}`)
    }
    await expect(next).toMatchFileSnapshot(fileURLToPath(new URL(path, repository)))
  })
})
