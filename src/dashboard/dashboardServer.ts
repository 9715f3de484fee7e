import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { messageOf } from '../core/errors.ts'
import type { Logger } from '../core/logger.ts'

/** What a route answers. */
export interface Reply {
  readonly status: number
  /** Content-Type. */
  readonly type: string
  readonly body: string
  readonly contentSecurityPolicy?: string
}

export type Routes = ReadonlyMap<string, () => Reply | Promise<Reply>>

/** Names under which a browser or scraper on this machine asks for us, through a forwarded port as well. */
const localHost = /^(?:127\.0\.0\.1|localhost|\[::1\])(?::\d{1,5})?$/i

/** Nothing of ours is loaded, framed or read by another site. */
const securityHeaders: Readonly<Record<string, string>> = {
  'Cache-Control': 'no-store',
  'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'",
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
}

/**
 * A server that answers GET and HEAD of a few fixed paths, and only to requests that name this machine as their host: a
 * page elsewhere whose name has been pointed at 127.0.0.1 (DNS rebinding) learns nothing. There are no actions.
 */
export function createDashboardServer(routes: Routes, log: Logger): Server {
  const server = createServer(
    { headersTimeout: 5_000, requestTimeout: 10_000, keepAliveTimeout: 5_000, maxHeaderSize: 8_192 },
    (request, response) => {
      void answer(request, routes, log).then((reply) => {
        write(response, reply)
      })
    },
  )
  server.maxConnections = 100
  return server
}

/** Never rejects. */
async function answer(request: IncomingMessage, routes: Routes, log: Logger): Promise<Reply> {
  if (!localHost.test(request.headers.host ?? '')) {
    return plain(421, 'This page answers to 127.0.0.1 and localhost only.')
  }
  const path = (request.url ?? '').split('?', 1)[0] ?? ''
  const route = routes.get(path)
  if (route === undefined) return plain(404, `There are ${[...routes.keys()].join(', ')}.`)
  if (request.method !== 'GET' && request.method !== 'HEAD') return plain(405, 'Only GET and HEAD.')
  try {
    return await route()
  } catch (error) {
    log.warn('The live page could not answer', { path, reason: messageOf(error) })
    return plain(500, 'This could not be answered; the log says why.')
  }
}

export function plain(status: number, text: string): Reply {
  return { status, type: 'text/plain; charset=utf-8', body: `${text}\n` }
}

function write(response: ServerResponse, { status, type, body, contentSecurityPolicy }: Reply): void {
  response.writeHead(status, {
    ...securityHeaders,
    ...(contentSecurityPolicy === undefined ? {} : { 'Content-Security-Policy': contentSecurityPolicy }),
    ...(status === 405 ? { Allow: 'GET, HEAD' } : {}),
    'Content-Type': type,
    'Content-Length': Buffer.byteLength(body),
  })
  response.end(body)
}
