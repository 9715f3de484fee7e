import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { rm } from 'node:fs/promises'
import type { Socket } from 'node:net'
import type { Clock, Timer } from '../../../core/ports/clock.ts'
import { TidemarkError, asTidemarkError, messageOf } from '../../../core/errors.ts'
import { outOfFiles } from '../../../core/outOfFiles.ts'
import type { EmbeddedStore } from '../store/embeddedStore.ts'
import { encodeHolder, type Holder } from './holder.ts'
import { storeCalls, type CallKind, type StoreCall } from './storeCalls.ts'
import { toWireError } from './wireCodecs.ts'
import { maxSocketConnections, maxHeldBytes, maxBodyBytes, shortAnswerRoom, transferTimeoutMs } from './wireLimits.ts'

export const describeHolderPath = '/holder'

const maxPatienceMs = 2_000

type AnyCall = Pick<StoreCall<unknown, unknown>, 'name' | 'kind' | 'answer'>

interface Answer {
  readonly status: number
  readonly body: string
}

const isClosing: Answer = { status: 503, body: '{}' }

/** The calls by path: nothing else is answered. */
const calls: ReadonlyMap<string, AnyCall> = new Map(Object.values(storeCalls).map((call) => [`/${call.name}`, call]))

/** What a connection is for: one request, and its answer. */
interface Exchange {
  isAsked: boolean
  /** While its request is being answered. */
  isAtWork: boolean
  isOpen: boolean
  /** Of its request and answer, in memory until it is closed and nobody works on it any more. */
  heldBytes: number
  deadline: Timer
}

/** There is no room for this request now; the next one may have it. */
class Busy extends Error {}

/**
 * The control socket of the process that holds a data directory. Whoever may write the socket may do everything; what a
 * mistake there takes of the job's memory is bounded (see wireLimits.ts): what reads and what writes goes one at a time each,
 * and is begun when there is room for its answer.
 */
export class StoreServer {
  readonly #server: Server
  readonly #store: EmbeddedStore
  readonly #holder: Holder
  readonly #clock: Clock
  readonly #exchanges = new Map<Socket, Exchange>()
  readonly #reads: Turns
  readonly #writes: Turns
  #heldBytes = 0
  #closing = false
  /** Called when the last connection has ended. */
  #onIdle = (): void => undefined

  private constructor(server: Server, store: EmbeddedStore, holder: Holder) {
    this.#server = server
    this.#store = store
    this.#holder = holder
    this.#clock = store.clock
    this.#reads = new Turns(store.clock)
    this.#writes = new Turns(store.clock)
  }

  /**
   * Listens on the holder's socket, for which there is room (see `makeRoomForSocket`). Throws `too-many-files`, and
   * `invalid-setting` where there can be no socket.
   */
  static async listen(store: EmbeddedStore, holder: Holder): Promise<StoreServer> {
    const { socket } = holder
    const server = createServer()
    server.maxConnections = 2 * maxSocketConnections
    const ours = new StoreServer(server, store, holder)
    server.on('connection', (connection: Socket) => {
      ours.#track(connection)
    })
    server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      void ours.#respond(request, response)
    })
    await new Promise<void>((resolve, reject) => {
      server.once('error', (cause) => {
        const what = `The control socket ${socket} cannot be made`
        const message = `${what}: ${messageOf(cause)}. Set data.dir to a directory on a local disk`
        reject(outOfFiles(cause, what) ?? new TidemarkError('invalid-setting', message, { cause }))
      })
      server.listen(socket, resolve)
    })
    // A server that waits for requests keeps no process alive.
    server.unref()
    return ours
  }

  /** Takes no more requests, and resolves when those that were taken are answered. */
  async close(): Promise<void> {
    await rm(this.#holder.socket, { force: true })
    // Nobody can connect any more. Whoever has done so is still accepted, and told to ask elsewhere.
    this.#closing = true
    for (let turn = 0; turn < 2; turn += 1) await new Promise<void>((resolve) => this.#clock.soon(resolve))
    await this.#idle()
    await new Promise<void>((resolve) => {
      this.#server.close(() => {
        resolve()
      })
      this.#server.closeAllConnections()
    })
  }

  #track(connection: Socket): void {
    const deadline = this.#deadline(connection)
    const exchange: Exchange = { isAsked: false, isAtWork: false, isOpen: true, heldBytes: 0, deadline }
    this.#exchanges.set(connection, exchange)
    connection.on('close', () => {
      exchange.deadline.cancel()
      exchange.isOpen = false
      this.#forgetEnded(connection, exchange)
    })
  }

  #forgetEnded(connection: Socket, exchange: Exchange): void {
    if (exchange.isOpen || exchange.isAtWork) return
    this.#holdExactly(exchange, 0)
    this.#exchanges.delete(connection)
    if (this.#exchanges.size === 0) this.#onIdle()
  }

  #deadline(connection: Socket): Timer {
    return this.#clock.after(transferTimeoutMs, () => {
      connection.destroy()
    })
  }

  /** A client that stops in the middle of its request is not waited for. */
  async #idle(): Promise<void> {
    if (this.#exchanges.size === 0) return
    await new Promise<void>((resolve) => {
      const timer = this.#clock.after(maxPatienceMs, resolve)
      this.#onIdle = () => {
        timer.cancel()
        resolve()
      }
    })
  }

  async #respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const connection = request.socket
    const exchange = this.#exchanges.get(connection)
    // The connection is for one request alone, and may be cut by the other side at any time.
    if (exchange === undefined || exchange.isAsked) {
      connection.destroy()
      return
    }
    exchange.isAsked = true
    exchange.isAtWork = true
    response.on('error', () => undefined)
    const { status, body } = await this.#answer(request, exchange)
    exchange.isAtWork = false
    this.#holdExactly(exchange, Buffer.byteLength(body))
    this.#forgetEnded(connection, exchange)
    exchange.deadline.cancel()
    if (response.destroyed) return
    exchange.deadline = this.#deadline(connection)
    response.writeHead(status, { 'content-type': 'application/json', connection: 'close' })
    response.end(body)
  }

  /** Never rejects. */
  async #answer(request: IncomingMessage, exchange: Exchange): Promise<Answer> {
    try {
      if (this.#closing) return isClosing
      if (request.url === describeHolderPath) return { status: 200, body: encodeHolder(this.#holder) }
      if (this.#exchanges.size > maxSocketConnections) throw new Busy()
      const call = callFor(request)
      const asked = await this.#readBody(request, exchange)
      exchange.deadline.cancel()
      const turns = call.kind === 'write' ? this.#writes : this.#reads
      return await turns.take(async () => {
        // Nothing of it is begun: whoever asked may do so again.
        if (this.#closing || !exchange.isOpen) return isClosing
        return { status: 200, body: await this.#run(call, asked, exchange) }
      })
    } catch (thrown) {
      if (thrown instanceof Busy) return { status: 429, body: '{}' }
      const error = asTidemarkError(thrown, 'broken-invariant', 'The request failed')
      return { status: 400, body: JSON.stringify(toWireError(error)) }
    }
  }

  async #run(call: AnyCall, asked: string, exchange: Exchange): Promise<string> {
    const room = roomFor[call.kind]
    this.#hold(exchange, room)
    const body = await call.answer(this.#store, asked)
    const bytes = Buffer.byteLength(body)
    if (bytes > maxHeldBytes) throw answerTooLong(call.name, bytes)
    this.#hold(exchange, Math.max(0, bytes - room))
    return body
  }

  async #readBody(request: IncomingMessage, exchange: Exchange): Promise<string> {
    const chunks: Buffer[] = []
    let bytes = 0
    for await (const chunk of request) {
      if (!Buffer.isBuffer(chunk)) continue
      bytes += chunk.length
      if (bytes > maxBodyBytes) {
        throw new TidemarkError('invalid-argument', `A request of more than ${String(maxBodyBytes)} bytes is not taken`)
      }
      this.#hold(exchange, chunk.length)
      chunks.push(chunk)
    }
    return Buffer.concat(chunks).toString()
  }

  /** Throws `Busy` where there is no room. */
  #hold(exchange: Exchange, bytes: number): void {
    if (this.#heldBytes + bytes > maxHeldBytes) throw new Busy()
    this.#holdExactly(exchange, exchange.heldBytes + bytes)
  }

  #holdExactly(exchange: Exchange, bytes: number): void {
    this.#heldBytes += bytes - exchange.heldBytes
    exchange.heldBytes = bytes
  }
}

const roomFor: Readonly<Record<CallKind, number>> = {
  write: shortAnswerRoom,
  list: shortAnswerRoom,
  read: maxBodyBytes,
}

function answerTooLong(call: string, bytes: number): TidemarkError {
  return new TidemarkError(
    'invalid-argument',
    `The answer to ${call} has ${String(bytes)} bytes, and no more than ${String(maxHeldBytes)} go over the control socket. Stop the job that holds the directory, and ask then`,
  )
}

function callFor({ url = '', method }: IncomingMessage): AnyCall {
  const call = calls.get(url)
  if (call !== undefined && method === 'POST') return call
  throw new TidemarkError(
    'invalid-argument',
    'There is no such call. Is the command of another version than the running job?',
  )
}

/** Acts that are done one after the other; between two of them the event loop looks at everything else. */
class Turns {
  readonly #clock: Clock
  #last: Promise<void> = Promise.resolve()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Does an act when those before it are done. */
  async take<T>(act: () => Promise<T>): Promise<T> {
    const before = this.#last
    const done = Promise.withResolvers<void>()
    this.#last = done.promise
    await before
    try {
      return await act()
    } finally {
      this.#clock.soon(done.resolve)
    }
  }
}
