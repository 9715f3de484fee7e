import { createHash } from 'node:crypto'
import { Script } from 'node:vm'
import { expect, test } from 'vitest'
import { loadPage } from '../../src/dashboard/page.ts'

const { html, contentSecurityPolicy } = loadPage()

function content(name: string): string {
  return new RegExp(`<${name}>([^]*?)</${name}>`).exec(html)?.[1] ?? ''
}

test('the page is one document that names no other address', () => {
  const withoutNamespace = html.replaceAll('http://www.w3.org/2000/svg', '')
  expect(withoutNamespace).not.toMatch(/https?:|\/\/[a-z]|@import|url\(/i)
  expect(html).not.toMatch(/<(?:script|img|iframe)[^>]*\ssrc=/i)
  expect(html).not.toMatch(/<link(?! rel="icon" href="data:,")/i)
})

test('the policy allows its own style and script by their hashes, and nothing inline besides', () => {
  for (const name of ['style', 'script']) {
    const hash = createHash('sha256').update(content(name)).digest('base64')
    expect(content(name).length).toBeGreaterThan(500)
    expect(contentSecurityPolicy).toContain(`${name}-src 'sha256-${hash}'`)
  }
  expect(contentSecurityPolicy).not.toContain('unsafe')
  expect(html).not.toMatch(/\s(?:style|on[a-z]+)="/i)
})

test('the script is one that a browser can parse, and never makes HTML of what it is told', () => {
  expect(() => new Script(content('script'))).not.toThrow()
  expect(content('script')).not.toMatch(/innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|Function\(/)
})

test('every element that the script asks for is there once', () => {
  const asked = [...content('script').matchAll(/(?:element|say|line|fill)\('([a-z-]+)'/g)].map(([, id]) => id)
  expect(new Set(asked).size).toBeGreaterThan(15)
  for (const id of new Set(asked)) expect(html.split(`id="${String(id)}"`)).toHaveLength(2)
})

test('it has a language, a heading, a light and a dark look, and names for its tables', () => {
  expect(html).toContain('<html lang="en">')
  expect(html.match(/<h1/g)).toHaveLength(1)
  expect(content('style')).toContain('color-scheme: light dark')
  expect(content('style')).toContain('prefers-color-scheme: dark')
  const scrolling = [...html.matchAll(/<div class="scroll"[^>]*aria-labelledby="([a-z-]+)"/g)]
  expect(scrolling.length).toBe(html.split('<table>').length - 1)
  for (const [, id] of scrolling) expect(html).toContain(`<h2 id="${String(id)}">`)
})
