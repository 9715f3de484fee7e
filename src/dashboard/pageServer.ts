import { once } from 'node:events'
import { createServer as createHttp, IncomingMessage, ServerResponse } from 'node:http'
import { createServer, type Server, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { PageConnection, maxRequestHeadBytes, type ConnectionOptions } from './pageConnection.ts'
import { plainReply, securityHeaders, type Reply } from './snapshots.ts'

export interface PageServerOptions extends ConnectionOptions {
  /** Whatever else is asked for is not there. */
  readonly paths: readonly string[]
  /** What one of the paths answers. Never rejects. */
  readonly answer: (path: string) => Promise<Reply>
  /** Paths that are answered before all others, and given up last. */
  readonly urgent: ReadonlySet<string>
}

/** Beyond them the oldest gives way. */
export const maxConnections = 64
/** Turns of the event loop: Node accepts one connection in every other of them. */
const quietTurns = 2
/** May come before one that waits is answered. */
const maxNewcomers = 32
const maxHeaders = 64
const tooLarge = plainReply(
  431,
  `The head of a request has at most ${String(maxRequestHeadBytes)} bytes and ${String(maxHeaders)} headers.`,
)
const maxTargetLength = 1_024

/** Names under which a browser or scraper on this machine asks for us, through a forwarded port as well. */
const localHost = /^(?:127\.0\.0\.1|localhost|\[::1\])(?::\d{1,5})?$/i

/**
 * Answers one small request a connection and closes it. What a client can make it do is bounded before it is done: a
 * connection gives node:http one head and no more, an answer that is not taken is dropped, and when there are too many
 * connections the oldest makes room, a health check last. A health check is answered at once, and what others ask for when
 * nobody new waits to be looked at.
 */
export class PageServer {
  readonly server: Server
  /** Listens nowhere: it is given its connections. */
  readonly #http = createHttp({
    maxHeaderSize: maxRequestHeadBytes,
    insecureHTTPParser: false,
    requireHostHeader: false,
  })
  readonly #options: PageServerOptions
  /** Oldest first. */
  readonly #connections = new Set<PageConnection>()
  /** Connections whose turn has not come. */
  readonly #waiting: PageConnection[] = []
  /** Since one of them was served. */
  #newcomers = 0

  constructor(options: PageServerOptions) {
    this.#options = options
    // A client that has said all may close its side and still read.
    this.server = createServer({ allowHalfOpen: true }, (socket) => {
      this.#accept(socket)
    })
    // Node 22 leaves out the rest; one more shows that there were too many.
    this.#http.maxHeadersCount = maxHeaders + 1
    this.#http.on('request', this.#answer).on('checkContinue', this.#answer).on('checkExpectation', this.#answer)
    this.#http.on('connect', (request, stream) => {
      this.#answer(request, responseOn(stream))
    })
    this.#http.on('clientError', ({ code }: NodeJS.ErrnoException, stream) => {
      const isLarge = code === 'HPE_HEADER_OVERFLOW'
      this.#send(isLarge ? tooLarge : plainReply(400, 'That is no request of HTTP/1.1.'), responseOn(stream))
    })
  }

  /** Connections now. */
  get connections(): number {
    return this.#connections.size
  }

  async close(): Promise<void> {
    const closed = once(this.server, 'close')
    this.server.close()
    for (const connection of this.#connections) connection.destroy()
    await closed
  }

  #accept(socket: Socket): void {
    this.#options.pay()
    if (this.#connections.size >= maxConnections) this.#makeRoom()
    this.#newcomers += 1
    const connection = new PageConnection(socket, this.#options, () => {
      this.#enqueue(connection)
    })
    this.#connections.add(connection)
    connection.once('close', () => {
      this.#connections.delete(connection)
    })
  }

  #enqueue(connection: PageConnection): void {
    if (this.#isUrgent(connection)) this.#serve(connection)
    else if (this.#waiting.push(connection) === 1) this.#serveSoon()
  }

  /** When nobody new has come for some turns of the event loop, or many have since the last one was served. */
  #serveSoon(newcomers = this.#newcomers, turns = quietTurns): void {
    this.#options.clock.soon(() => {
      const isQuiet = newcomers === this.#newcomers
      if (this.#newcomers < maxNewcomers && !(isQuiet && turns === 1)) {
        if (isQuiet) this.#serveSoon(newcomers, turns - 1)
        else this.#serveSoon()
        return
      }
      this.#newcomers = 0
      let connection = this.#waiting.shift()
      // It has gone meanwhile, which costs nothing more.
      while (connection?.destroyed === true) connection = this.#waiting.shift()
      if (connection !== undefined) this.#serve(connection)
      if (this.#waiting.length > 0) this.#serveSoon()
    })
  }

  #serve(connection: PageConnection): void {
    this.#http.emit('connection', connection)
    connection.begin()
  }

  #isUrgent({ path }: PageConnection): boolean {
    return path !== null && this.#options.urgent.has(path)
  }

  #makeRoom(): void {
    const all = [...this.#connections]
    const given = all.find((one) => !this.#isUrgent(one)) ?? all[0]
    if (given === undefined) return
    this.#connections.delete(given)
    given.destroy()
  }

  readonly #answer = (request: IncomingMessage, response: ServerResponse): void => {
    const connection = request.socket as Duplex as PageConnection
    const { paths, answer } = this.#options
    const path = request.url?.split('?', 1)[0] ?? ''
    const refusal = refusalOf(request)
    if (refusal !== null) this.#send(refusal, response)
    // More than was announced is a second request, before the first one is answered.
    else if (connection.moreBytes > 0) connection.destroy()
    else if (!paths.includes(path)) this.#send(plainReply(404, `There are ${paths.join(', ')}.`), response)
    else {
      void answer(path).then((reply) => {
        if (!connection.destroyed) this.#send(reply, response)
      })
    }
  }

  #send({ status, type, body, contentSecurityPolicy }: Reply, response: ServerResponse): void {
    this.#options.pay()
    // Connections that wait for a slow reader share the bytes of an answer.
    const bytes = typeof body === 'string' ? Buffer.from(body) : body
    response.writeHead(status, {
      ...securityHeaders,
      ...(contentSecurityPolicy === undefined ? {} : { 'Content-Security-Policy': contentSecurityPolicy }),
      ...(status === 405 ? { Allow: 'GET, HEAD' } : {}),
      'Content-Type': type,
      'Content-Length': bytes.length,
      Date: new Date(this.#options.clock.now()).toUTCString(),
      Connection: 'close',
    })
    response.end(bytes)
  }
}

/** For what node:http makes no response to: CONNECT, and what is no request. */
function responseOn(stream: Duplex): ServerResponse {
  // node:http takes any duplex stream for a socket.
  const socket = stream as Socket
  const response = new ServerResponse(new IncomingMessage(socket))
  response.assignSocket(socket)
  response.once('finish', () => stream.end())
  return response
}

/**
 * Null for GET and HEAD of a path, without a body, from who names this machine as the host: a page elsewhere whose name has
 * been pointed at 127.0.0.1 (DNS rebinding) learns nothing. Nothing is taken that could be read in two ways.
 */
function refusalOf(request: IncomingMessage): Reply | null {
  const { method, url = '', headers, httpVersion } = request
  if (request.httpVersionMajor !== 1) return plainReply(505, 'This page speaks HTTP/1.1.')
  if (request.rawHeaders.length > 2 * maxHeaders) return tooLarge
  if (url.length > maxTargetLength) return plainReply(414, `A path has at most ${String(maxTargetLength)} characters.`)
  const [host = '', ...otherHosts] = request.headersDistinct.host ?? []
  if (otherHosts.length > 0) return plainReply(400, 'A request names one host.')
  if (host === '' && httpVersion !== '1.0') return plainReply(400, 'A request names its host.')
  // HTTP/1.0 knows no Host; every browser sends one.
  if (host !== '' && !localHost.test(host)) return plainReply(421, 'This page answers to 127.0.0.1 and localhost only.')
  if (method !== 'GET' && method !== 'HEAD') return plainReply(405, 'Only GET and HEAD.')
  if (headers.expect !== undefined) return plainReply(417, 'Nothing is expected of this page.')
  if (headers['transfer-encoding'] !== undefined || (headers['content-length'] ?? '0') !== '0') {
    return plainReply(400, 'A request to this page has no body.')
  }
  return url.startsWith('/') ? null : plainReply(400, 'Ask for a path, such as /metrics.')
}
