import { plain, type Reply } from './reply.ts'

/** A request for one of our paths, in so far as its head can tell. */
export interface PageRequest {
  readonly path: string
  /** A HEAD is answered without the body. */
  readonly withBody: boolean
}

/** Bytes of a whole head, its empty line included. */
export const maxHeadBytes = 8_192
const maxHeaders = 64
const maxTargetLength = 1_024

/** Names under which a browser or scraper on this machine asks for us, through a forwarded port as well. */
const localHost = /^(?:127\.0\.0\.1|localhost|\[::1\])(?::\d{1,5})?$/i

const requestLine = /^([A-Za-z]{1,16}) ([\x21-\x7e]+) HTTP\/(\d)\.(\d)$/
const header = /^([\w!#$%&'*+.^`|~-]+):[\t ]*([\t\x20-\x7e\x80-\xff]*)$/

/**
 * Reads the head of a request, up to and without its empty line: GET and HEAD of a path, without a body, and only from
 * who names this machine as the host. A page elsewhere whose name has been pointed at 127.0.0.1 (DNS rebinding) learns
 * nothing. Everything else is refused with the reply that says why.
 *
 * This is less than HTTP: one request a connection, no bodies, nothing that could be read in two ways.
 */
export function readRequestHead(head: string): PageRequest | Reply {
  const [first = '', ...lines] = head.split('\r\n')
  const [, method = '', target = '', major, minor] = requestLine.exec(first) ?? []
  if (method === '') return plain(400, 'That is no request of HTTP/1.1.')
  if (major !== '1') return plain(505, 'This page speaks HTTP/1.1.')
  if (lines.length > maxHeaders) return plain(431, `A request has at most ${String(maxHeaders)} headers.`)
  if (target.length > maxTargetLength) return plain(414, `A path has at most ${String(maxTargetLength)} characters.`)
  const headers = new Map<string, string[]>()
  for (const line of lines) {
    const [, name, value = ''] = header.exec(line) ?? []
    if (name === undefined) return plain(400, 'A header of the request is none of HTTP/1.1.')
    const known = headers.get(name.toLowerCase())
    if (known === undefined) headers.set(name.toLowerCase(), [value.trimEnd()])
    else known.push(value.trimEnd())
  }
  return refusal(headers, method, minor ?? '') ?? requestFor(method, target)
}

/** Null for a request whose headers say nothing against it. */
function refusal(headers: ReadonlyMap<string, readonly string[]>, method: string, minor: string): Reply | null {
  const [host = '', ...otherHosts] = headers.get('host') ?? []
  if (otherHosts.length > 0) return plain(400, 'A request names one host.')
  if (host === '' && minor !== '0') return plain(400, 'A request names its host.')
  if (!localHost.test(host)) return plain(421, 'This page answers to 127.0.0.1 and localhost only.')
  if (method !== 'GET' && method !== 'HEAD') return plain(405, 'Only GET and HEAD.')
  if (headers.has('expect')) return plain(417, 'Nothing is expected of this page.')
  const lengths = headers.get('content-length') ?? []
  if (headers.has('transfer-encoding') || lengths.some((length) => length !== '0')) {
    return plain(400, 'A request to this page has no body.')
  }
  return null
}

function requestFor(method: string, target: string): PageRequest | Reply {
  if (!target.startsWith('/')) return plain(400, 'Ask for a path, such as /metrics.')
  return { path: target.split('?', 1)[0] ?? '', withBody: method === 'GET' }
}
