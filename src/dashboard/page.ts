import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'

/** The live page and the policy under which a browser may show it. */
export interface LivePage {
  readonly html: string
  readonly contentSecurityPolicy: string
}

/**
 * Puts the page together: one document, with style and script inside. The policy allows exactly these two, by their hashes,
 * and requests to where the page came from.
 */
export function loadPage(): LivePage {
  const style = read('page.css')
  const script = read('page.js')
  const html = read('page.html')
    .replace('<link rel="stylesheet" href="page.css" />', () => `<style>${style}</style>`)
    .replace('<script src="page.js"></script>', () => `<script>${script}</script>`)
  const contentSecurityPolicy = [
    "default-src 'none'",
    `style-src '${hash(style)}'`,
    `script-src '${hash(script)}'`,
    "connect-src 'self'",
    'img-src data:',
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ')
  return { html, contentSecurityPolicy }
}

function read(file: string): string {
  return readFileSync(new URL(`page/${file}`, import.meta.url), 'utf8')
}

function hash(text: string): string {
  return `sha256-${createHash('sha256').update(text).digest('base64')}`
}
