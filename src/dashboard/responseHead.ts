import { STATUS_CODES } from 'node:http'
import type { Reply } from './reply.ts'

/** Nothing of ours is loaded, framed or read by another site. */
const securityHeaders = {
  'Cache-Control': 'no-store',
  'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'",
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
}

/** The head of a response, its empty line included. The connection ends with it. */
export function responseHead({ status, type, contentSecurityPolicy }: Reply, bytes: number, nowMs: number): string {
  const headers: Readonly<Record<string, string>> = {
    ...securityHeaders,
    ...(contentSecurityPolicy === undefined ? {} : { 'Content-Security-Policy': contentSecurityPolicy }),
    ...(status === 405 ? { Allow: 'GET, HEAD' } : {}),
    'Content-Type': type,
    'Content-Length': String(bytes),
    Date: new Date(nowMs).toUTCString(),
    Connection: 'close',
  }
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  return `HTTP/1.1 ${String(status)} ${STATUS_CODES[status] ?? ''}\r\n${lines.join('')}\r\n`
}
