import { existsSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { pages, readPage, repository } from './documentation.ts'

/** Links of the pages to files of the repository, with the heading they point at. */
const links = pages().flatMap(({ path, text }) =>
  [...withoutCode(text).matchAll(/\]\(([^)\s:#]*)(#[^)\s]*)?\)/g)].map(([, target = '', anchor = '']) => ({
    page: path,
    target: target === '' ? path : new URL(target, new URL(path, 'file:///')).pathname.slice(1),
    anchor: anchor.slice(1),
  })),
)

function withoutCode(text: string): string {
  return text.replaceAll(/^```[\s\S]*?^```$/gm, '').replaceAll(/`[^`\n]*`/g, '`code`')
}

/** Anchors of a page's headings, as GitHub makes them. */
function anchorsOf(path: string): readonly string[] {
  const { text } = readPage(path)
  return [...text.replaceAll(/^```[\s\S]*?^```$/gm, '').matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  )
}

describe('a link of the documentation', () => {
  test.each(links)('$page -> $target#$anchor leads somewhere', ({ target, anchor }) => {
    expect(existsSync(new URL(target, repository))).toBe(true)
    if (anchor !== '') expect(anchorsOf(target)).toContain(anchor)
  })
})

describe('the pages', () => {
  const shown = pages().flatMap(({ path, text }) =>
    [...text.matchAll(/`((?:src|test|operators|jobs|docs|bench)\/[\w./-]+)`/g)].map(([, file = '']) => ({
      page: path,
      file,
    })),
  )

  test.each(shown)('name files that exist: $page, $file', ({ file }) => {
    expect(existsSync(new URL(file, repository))).toBe(true)
  })
})
