import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { rm } from 'node:fs/promises'
import type { Socket } from 'node:net'
import type { Clock } from '../../core/clock.ts'
import { TidemarkError, asTidemarkError, messageOf } from '../../core/errors.ts'
import { outOfFiles } from '../../core/outOfFiles.ts'
import type { EmbeddedStore } from './embeddedStore.ts'
import { encodeHolder, type Holder } from './holder.ts'
import type { StoreCall } from './storeCall.ts'
import { storeCalls } from './storeCalls.ts'
import { toWireError } from './wireCodecs.ts'

export const describeHolderPath = '/holder'

/** A record of 16 MiB in base64, with room. */
const maxRequestBytes = 64 * 1024 * 1024

const maxPatienceMs = 2_000

/** The calls by path: nothing else is answered. */
const calls: ReadonlyMap<string, Pick<StoreCall<unknown, unknown>, 'answer'>> = new Map(
  Object.values(storeCalls).map((call) => [`/${call.name}`, call]),
)

/** The control socket of the process that holds a data directory. Whoever may write the socket may do everything. */
export class StoreServer {
  readonly #server: Server
  readonly #socket: string
  readonly #clock: Clock
  readonly #connections = new Set<Socket>()
  #closing = false
  /** Called when the last connection has ended. */
  #onIdle = (): void => undefined

  private constructor(server: Server, socket: string, clock: Clock) {
    this.#server = server
    this.#socket = socket
    this.#clock = clock
  }

  /**
   * Listens on the holder's socket, for which there is room (see `makeRoomForSocket`). Throws `too-many-files`, and
   * `invalid-setting` where there can be no socket.
   */
  static async listen(store: EmbeddedStore, holder: Holder): Promise<StoreServer> {
    const { socket } = holder
    const server = createServer()
    const ours = new StoreServer(server, socket, store.clock)
    server.on('connection', (connection: Socket) => {
      ours.#track(connection)
    })
    server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      void ours.#respond(store, holder, request, response)
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
    await rm(this.#socket, { force: true })
    // Nobody can connect any more. Whoever has done so is still accepted, and told to ask elsewhere.
    this.#closing = true
    for (let turn = 0; turn < 2; turn += 1) {
      await new Promise<void>((resolve) => {
        this.#clock.soon(resolve)
      })
    }
    await this.#idle()
    await new Promise<void>((resolve) => {
      this.#server.close(() => {
        resolve()
      })
      this.#server.closeAllConnections()
    })
  }

  #track(connection: Socket): void {
    this.#connections.add(connection)
    connection.on('close', () => {
      this.#connections.delete(connection)
      if (this.#connections.size === 0) this.#onIdle()
    })
  }

  /** A client that stops in the middle of its request is not waited for. */
  async #idle(): Promise<void> {
    if (this.#connections.size === 0) return
    await new Promise<void>((resolve) => {
      const timer = this.#clock.after(maxPatienceMs, resolve)
      this.#onIdle = () => {
        timer.cancel()
        resolve()
      }
    })
  }

  async #respond(
    store: EmbeddedStore,
    holder: Holder,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    // The connection is for this request alone, and may be cut by the other side at any time.
    response.on('error', () => undefined)
    try {
      if (this.#closing) send(response, 503, '{}')
      else if (request.url === describeHolderPath) send(response, 200, encodeHolder(holder))
      else send(response, 200, await answer(store, request))
    } catch (thrown) {
      const error = asTidemarkError(thrown, 'broken-invariant', 'The request failed')
      send(response, 400, JSON.stringify(toWireError(error)))
    }
  }
}

async function answer(store: EmbeddedStore, request: IncomingMessage): Promise<string> {
  const call = calls.get(request.url ?? '')
  if (call === undefined || request.method !== 'POST') {
    throw new TidemarkError(
      'invalid-argument',
      'There is no such call. Is the command of another version than the running job?',
    )
  }
  return call.answer(store, await readBody(request))
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of request) {
    if (!Buffer.isBuffer(chunk)) continue
    bytes += chunk.length
    if (bytes > maxRequestBytes) {
      throw new TidemarkError(
        'invalid-argument',
        `A request of more than ${String(maxRequestBytes)} bytes is not taken`,
      )
    }
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString()
}

function send(response: ServerResponse, status: number, body: string): void {
  if (response.destroyed || response.headersSent) return
  response.writeHead(status, { 'content-type': 'application/json', connection: 'close' })
  response.end(body)
}
