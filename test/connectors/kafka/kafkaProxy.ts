import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'

/** What happens to a request, or to its answer. */
export type Fate = 'pass' | 'drop' | 'cut'

/** A request of Kafka's protocol, by its numbers; 26 is EndTxn, 0 Produce. */
export interface SeenRequest {
  readonly apiKey: number
  readonly correlationId: number
}

/**
 * Stands between a client and a broker and can lose requests and answers. `drop` loses it and leaves the connection open,
 * `cut` ends the connection. The broker must advertise the proxy's address.
 */
export class KafkaProxy {
  onRequest: (request: SeenRequest) => Fate = () => 'pass'
  onAnswer: (request: SeenRequest) => Fate = () => 'pass'
  target = 0
  readonly #server: Server
  readonly #sockets = new Set<Socket>()

  private constructor() {
    this.#server = createServer((client) => {
      this.#join(client)
    })
  }

  static async start(): Promise<KafkaProxy> {
    const proxy = new KafkaProxy()
    await new Promise<void>((resolve) => {
      proxy.#server.listen(0, '127.0.0.1', resolve)
    })
    return proxy
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    await new Promise((resolve) => {
      this.#server.close(resolve)
    })
  }

  #join(client: Socket): void {
    const broker = connect(this.target, '127.0.0.1')
    const asked = new Map<number, SeenRequest>()
    const end = (): void => {
      client.destroy()
      broker.destroy()
    }
    for (const socket of [client, broker]) {
      this.#sockets.add(socket)
      socket.on('error', end).on('close', () => {
        this.#sockets.delete(socket)
        end()
      })
    }
    client.on(
      'data',
      frames((frame) => {
        const request = { apiKey: frame.readInt16BE(4), correlationId: frame.readInt32BE(8) }
        asked.set(request.correlationId, request)
        const fate = this.onRequest(request)
        if (fate === 'cut') end()
        if (fate === 'pass') broker.write(frame)
      }),
    )
    broker.on(
      'data',
      frames((frame) => {
        const request = asked.get(frame.readInt32BE(4))
        const fate = request === undefined ? 'pass' : this.onAnswer(request)
        if (fate === 'cut') end()
        if (fate === 'pass') client.write(frame)
      }),
    )
  }
}

/** Splits a stream into frames, each with its four bytes of length. */
function frames(take: (frame: Buffer) => void): (chunk: Buffer) => void {
  let rest = Buffer.alloc(0)
  return (chunk) => {
    rest = Buffer.concat([rest, chunk])
    while (rest.length >= 4 && rest.length >= 4 + rest.readInt32BE(0)) {
      const length = 4 + rest.readInt32BE(0)
      take(rest.subarray(0, length))
      rest = rest.subarray(length)
    }
  }
}
