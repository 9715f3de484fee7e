import { createServer, type Server, type Socket } from 'node:net'
import type { Clock, Timer } from '../core/clock.ts'
import { plain, type Reply } from './reply.ts'
import { maxHeadBytes, readRequestHead, type PageRequest } from './requestHead.ts'
import { responseHead } from './responseHead.ts'

export interface PageServerOptions {
  readonly clock: Clock
  /** Whatever else is asked for is not there. */
  readonly paths: readonly string[]
  /** What one of the paths answers. Never rejects. */
  readonly answer: (path: string) => Promise<Reply>
  /** Paths that are answered when all others are given up. */
  readonly urgent: ReadonlySet<string>
  /** Called with each piece of work, small or large. */
  readonly pay: () => void
}

/** Beyond them the oldest gives way. */
export const maxConnections = 64
/** For the whole head of a request. */
export const headTimeoutMs = 1_000
/** For all of a connection: one that does not read its answer ends then. */
export const lifetimeMs = 10_000
/** Pieces in which a head may come. */
const maxReads = 64
/** Of a body that is refused so much is read over, so that the refusal is seen and not cut off by the system. */
const maxRefusedBytes = 16_384

const endOfHead = '\r\n\r\n'

/**
 * Answers one small request a connection and closes it. What a client can make it do is bounded before it is done: a head
 * is read up to its limit, a second request or a body ends the connection unread, an answer that is not taken is dropped,
 * and when there are too many connections the oldest makes room, a health check last.
 */
export class PageServer {
  readonly server: Server
  readonly #options: PageServerOptions
  /** Oldest first. */
  readonly #connections = new Set<Connection>()

  constructor(options: PageServerOptions) {
    this.#options = options
    // A client that has said all may close its side and still read.
    this.server = createServer({ allowHalfOpen: true }, (socket) => {
      this.#accept(socket)
    })
  }

  /** Connections now. */
  get connections(): number {
    return this.#connections.size
  }

  close(): Promise<void> {
    const closed = new Promise<void>((resolve) => {
      this.server.close(() => {
        resolve()
      })
    })
    for (const connection of this.#connections) connection.drop()
    return closed
  }

  #accept(socket: Socket): void {
    this.#options.pay()
    if (this.#connections.size >= maxConnections) this.#makeRoom()
    const connection = new Connection(socket, this.#options)
    this.#connections.add(connection)
    socket.once('close', () => {
      connection.stop()
      this.#connections.delete(connection)
    })
  }

  #makeRoom(): void {
    const all = [...this.#connections]
    const oldest = all.find(({ isUrgent }) => !isUrgent) ?? all[0]
    if (oldest === undefined) return
    this.#connections.delete(oldest)
    oldest.drop()
  }
}

class Connection {
  readonly #socket: Socket
  readonly #options: PageServerOptions
  readonly #headTimer: Timer
  readonly #lifetimer: Timer
  #state: 'head' | 'answer' | 'sent' = 'head'
  #head: Buffer = Buffer.alloc(0)
  #reads = 0
  #refusedBytes = 0
  /** A health check that waits for its answer. */
  isUrgent = false

  constructor(socket: Socket, options: PageServerOptions) {
    this.#socket = socket
    this.#options = options
    const drop = (): void => {
      this.drop()
    }
    this.#headTimer = options.clock.after(headTimeoutMs, drop)
    this.#lifetimer = options.clock.after(lifetimeMs, drop)
    socket.on('data', (bytes) => {
      options.pay()
      this.#read(bytes)
    })
    // Whoever closes before the end of the head wants nothing.
    socket.on('end', () => {
      if (this.#state === 'head') this.drop()
    })
    // It is closed then, which is all that there is to do.
    socket.on('error', () => undefined)
  }

  /** Ends it at once; what was not sent is not sent. */
  drop(): void {
    this.stop()
    this.#socket.resetAndDestroy()
  }

  stop(): void {
    this.#headTimer.cancel()
    this.#lifetimer.cancel()
  }

  #read(bytes: Buffer): void {
    if (this.#state === 'head') this.#readHead(bytes)
    else if (this.#state === 'answer') this.drop()
    else this.#readOver(bytes)
  }

  #readHead(bytes: Buffer): void {
    this.#reads += 1
    this.#head = this.#reads === 1 ? bytes : Buffer.concat([this.#head, bytes])
    const end = this.#head.indexOf(endOfHead)
    const size = end < 0 ? this.#head.length : end + endOfHead.length
    const isMethod = /^[A-Za-z]/.test(this.#head.toString('latin1', 0, 1))
    if (!isMethod) this.#send(plain(400, 'That is no request of HTTP/1.1.'), true)
    else if (size > maxHeadBytes) {
      this.#send(plain(431, `The head of a request has at most ${String(maxHeadBytes)} bytes.`), true)
    } else if (end >= 0) this.#take(this.#head.toString('latin1', 0, end), this.#head.length - size)
    else if (this.#reads >= maxReads) this.drop()
  }

  #take(head: string, more: number): void {
    const request = readRequestHead(head)
    if ('status' in request) {
      this.#refusedBytes = more
      this.#send(request, true)
    }
    // More than was announced is a second request, before the first one is answered.
    else if (more > 0) this.drop()
    else this.#answer(request)
  }

  #answer({ path, withBody }: PageRequest): void {
    this.#state = 'answer'
    this.#headTimer.cancel()
    this.#head = Buffer.alloc(0)
    const { paths, urgent, answer } = this.#options
    if (!paths.includes(path)) {
      this.#send(plain(404, `There are ${paths.join(', ')}.`), withBody)
      return
    }
    this.isUrgent = urgent.has(path)
    void answer(path).then((reply) => {
      if (!this.#socket.destroyed) this.#send(reply, withBody)
    })
  }

  #send(reply: Reply, withBody: boolean): void {
    this.#options.pay()
    this.#state = 'sent'
    this.isUrgent = false
    this.#headTimer.cancel()
    this.#head = Buffer.alloc(0)
    // Connections that wait for a slow reader share the bytes of an answer.
    const body = typeof reply.body === 'string' ? Buffer.from(reply.body) : reply.body
    const socket = this.#socket
    socket.cork()
    socket.write(responseHead(reply, body.length, this.#options.clock.now()), 'latin1')
    if (withBody) socket.write(body)
    socket.end()
    socket.uncork()
  }

  #readOver(bytes: Buffer): void {
    this.#refusedBytes += bytes.length
    if (this.#refusedBytes > maxRefusedBytes) this.drop()
  }
}
