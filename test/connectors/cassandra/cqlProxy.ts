import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'

const opcodes: Readonly<Record<number, string>> = {
  1: 'STARTUP',
  5: 'OPTIONS',
  7: 'QUERY',
  9: 'PREPARE',
  10: 'EXECUTE',
  11: 'REGISTER',
}
const headerBytes = 9

/** Stands between a client and a Cassandra and reads what the client sends, by the frames of the native protocol. */
export class CqlProxy {
  /** Sent so far: `PREPARE SELECT …`, `QUERY SELECT …`, and the name alone for frames without a text. */
  readonly sent: string[] = []
  /** Connections that were opened. */
  connections = 0
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  readonly #target: { readonly host: string; readonly port: number }
  #refusing = false

  private constructor(target: { readonly host: string; readonly port: number }) {
    this.#target = target
    this.#server = createServer((client) => {
      this.#accept(client)
    })
  }

  static async open(address: string): Promise<CqlProxy> {
    const colon = address.lastIndexOf(':')
    const proxy = new CqlProxy({ host: address.slice(0, colon), port: Number(address.slice(colon + 1)) })
    await new Promise<void>((resolve) => {
      proxy.#server.listen(0, '127.0.0.1', resolve)
    })
    return proxy
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  get openConnections(): number {
    return this.#sockets.size / 2
  }

  statements(kind: 'PREPARE' | 'QUERY'): readonly string[] {
    return this.sent.filter((line) => line.startsWith(`${kind} `)).map((line) => line.slice(kind.length + 1))
  }

  /** Breaks all connections, and refuses new ones until `accept`. */
  refuse(): void {
    this.#refusing = true
    for (const socket of this.#sockets) socket.destroy()
  }

  accept(): void {
    this.#refusing = false
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  #accept(client: Socket): void {
    if (this.#refusing) {
      client.destroy()
      return
    }
    this.connections += 1
    const server = connect(this.#target)
    const read = frameReader((line) => this.sent.push(line))
    for (const socket of [client, server]) {
      const other = socket === client ? server : client
      this.#sockets.add(socket)
      socket.on('data', (data) => {
        if (socket === client) read(data)
        other.write(data)
      })
      socket.on('error', () => undefined)
      socket.on('close', () => {
        this.#sockets.delete(socket)
        other.destroy()
      })
    }
  }
}

function frameReader(found: (line: string) => void): (data: Buffer) => void {
  let pending = Buffer.alloc(0)
  return (data) => {
    pending = Buffer.concat([pending, data])
    while (pending.length >= headerBytes) {
      const end = headerBytes + pending.readInt32BE(5)
      if (pending.length < end) return
      const name = opcodes[pending.readUInt8(4)] ?? 'OTHER'
      const hasText = name === 'PREPARE' || name === 'QUERY'
      const text = hasText
        ? pending.toString('utf8', headerBytes + 4, headerBytes + 4 + pending.readInt32BE(headerBytes))
        : ''
      found(hasText ? `${name} ${text}` : name)
      pending = pending.subarray(end)
    }
  }
}
