import type { Socket } from 'node:net'
import { Duplex } from 'node:stream'
import type { Clock, Timer } from '../core/ports/clock.ts'

export interface ConnectionOptions {
  readonly clock: Clock
  /** Called with each piece of work, small or large. */
  readonly pay: () => void
}

/** For the head of a request, and for an answer where nothing is asked for that could be there. */
export const headTimeoutMs = 1_000
/** For all of a connection: one that does not read its answer ends then. */
export const lifetimeMs = 10_000
export const maxRequestHeadBytes = 8_192
/** node:http counts no spaces and ends of lines, and is to see that a head is too large. */
const maxSeenBytes = maxRequestHeadBytes + 1_024
/** Pieces in which a head may come. */
const maxReads = 64
/** Of what is refused so much is read over, so that the refusal is seen and not cut off by the system. */
const maxRefusedBytes = 16_384

/** The line of a request for a page that there is. */
const maxPathBytes = 128

const empty = Buffer.alloc(0)
const endOfHead = '\r\n\r\n'

/**
 * A connection as node:http is to see it, which would parse all that has come in one piece: the head of one request is to be
 * read, and never a byte behind it. To send more before the answer is the end of the connection.
 */
export class PageConnection extends Duplex {
  readonly #socket: Socket
  readonly #headTimer: Timer
  readonly #lifetimer: Timer
  readonly #asks: () => void
  #state: 'head' | 'asked' | 'answer' = 'head'
  #head: Buffer = empty
  #reads = 0
  /** Behind the head: a body, or another request. */
  moreBytes = 0
  /** What it asks for, as far as that can be seen before its turn; null for anything but the path of a page. */
  path: string | null = null

  /** `asks` is called when there is a head to be read, or what cannot be one. It is read from `begin` on. */
  constructor(socket: Socket, { clock, pay }: ConnectionOptions, asks: () => void) {
    // What there is to be read is pushed.
    super({ decodeStrings: false, read: () => undefined })
    this.#socket = socket
    this.#asks = asks
    const drop = (): void => {
      this.destroy()
    }
    this.#headTimer = clock.after(headTimeoutMs, drop)
    this.#lifetimer = clock.after(lifetimeMs, drop)
    socket.on('data', (bytes) => {
      pay()
      if (this.#state === 'head') this.#readHead(bytes)
      else this.#readOver(bytes.length)
    })
    // Whoever closes before the end of the head wants nothing.
    socket.on('end', () => {
      if (this.#state === 'head') this.destroy()
    })
    // It is closed then, which is all that there is to do.
    socket.on('error', () => undefined)
    socket.on('close', drop)
  }

  /** Its turn: the head is given to whoever reads. */
  begin(): void {
    this.push(this.#head)
    this.#head = empty
  }

  #readHead(bytes: Buffer): void {
    this.#reads += 1
    this.#head = this.#reads === 1 ? bytes : Buffer.concat([this.#head, bytes])
    const end = this.#head.indexOf(endOfHead)
    const size = Math.min(maxSeenBytes, end < 0 ? this.#head.length : end + endOfHead.length)
    const isMethod = /^[A-Za-z]/.test(this.#head.toString('latin1', 0, 1))
    const isSeen = end >= 0 || size === maxSeenBytes || !isMethod
    this.moreBytes = this.#head.length - size
    if (this.moreBytes > maxRefusedBytes || (!isSeen && this.#reads >= maxReads)) this.destroy()
    else if (isSeen) {
      this.#state = 'asked'
      this.#head = this.#head.subarray(0, size)
      this.path = /^(?:GET|HEAD) (\/[^ ?]*)/.exec(this.#head.toString('latin1', 0, maxPathBytes))?.[1] ?? null
      // To other heads node:http may say nothing at all.
      if (this.path !== null) this.#headTimer.cancel()
      this.#asks()
    }
  }

  #readOver(bytes: number): void {
    this.moreBytes += bytes
    if (this.#state === 'asked' || this.moreBytes > maxRefusedBytes) this.destroy()
  }

  /** The answer, its head and body in one piece. */
  override _writev(
    chunks: readonly { chunk: string | Uint8Array; encoding: BufferEncoding }[],
    done: () => void,
  ): void {
    this.#state = 'answer'
    this.#headTimer.cancel()
    const socket = this.#socket
    socket.cork()
    for (const { chunk, encoding } of chunks) socket.write(chunk, encoding)
    socket.uncork()
    if (socket.writableNeedDrain) socket.once('drain', done)
    else done()
  }

  override _final(done: () => void): void {
    this.#socket.end()
    done()
  }

  /** Ends it at once; what was not sent is not sent. */
  override _destroy(_: Error | null, done: () => void): void {
    this.#headTimer.cancel()
    this.#lifetimer.cancel()
    if (!this.#socket.destroyed) this.#socket.resetAndDestroy()
    done()
  }
}
