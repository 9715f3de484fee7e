import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { sleep, systemClock } from '../../../src/core/ports/clock.ts'

/**
 * What becomes of a request or of its answer: let through, lost with the connection left open or cut with it, or held for so
 * many ms or until something has happened. What is held arrives also when its sender has given the connection up, as packets do.
 */
export type Passage = 'pass' | 'drop' | 'cut' | number | Promise<unknown>

/** A request of Kafka's protocol as it goes by. */
export interface SeenRequest {
  readonly apiKey: number
  readonly clientId: string
  /** The last byte of the request: of EndTxn it says whether it commits. */
  readonly lastByte: number
  /** Of Produce: whether it is part of a transaction. */
  readonly transactional: boolean
}

/** Looks at the traffic of one process; what it does not care about passes. */
export interface Watcher {
  onRequest?(request: SeenRequest): Passage
  onAnswer?(request: SeenRequest, bytes: number): Passage
}

export const api = { produce: 0, fetch: 1, initProducerId: 22, endTxn: 26, txnOffsetCommit: 28 } as const

/** What a client asks which kind of coordinator for. */
export const coordinatorApis = {
  group: new Set([8, 9, 11, 12, 13, 14, api.txnOffsetCommit]),
  transactions: new Set([api.initProducerId, 24, 25, api.endTxn]),
} as const

/**
 * Stands between all clients and a broker, which must advertise the proxy's address. Sees every request with the client it
 * comes from, so that a test can act at a named point of one process's epoch.
 */
export class KafkaFaultProxy {
  onRequest: (request: SeenRequest) => Passage = () => 'pass'
  onAnswer: (request: SeenRequest, bytes: number) => Passage = () => 'pass'
  readonly #watchers = new Map<string, Watcher>()
  readonly #relay: Relay

  private constructor(relay: Relay) {
    this.#relay = relay
  }

  static async start(brokerPort: number): Promise<KafkaFaultProxy> {
    const asked = new WeakMap<Socket, Map<number, SeenRequest>>()
    const relay = await Relay.start(brokerPort, {
      split: kafkaFrames,
      fromClient(frame, client) {
        const apiKey = frame.readInt16BE(4)
        const body = 14 + Math.max(0, frame.readInt16BE(12))
        const request = {
          apiKey,
          clientId: frame.toString('utf8', 14, body),
          lastByte: frame[frame.length - 1] ?? 0,
          // Its first field is the transactional id, -1 for none.
          transactional: apiKey === api.produce && frame.readInt16BE(body) >= 0,
        }
        const requests = asked.get(client) ?? new Map<number, SeenRequest>()
        requests.set(frame.readInt32BE(8), request)
        asked.set(client, requests)
        return proxy.#requested(request)
      },
      fromServer(frame, client) {
        const correlationId = frame.readInt32BE(4)
        const request = asked.get(client)?.get(correlationId)
        asked.get(client)?.delete(correlationId)
        return request === undefined ? 'pass' : proxy.#answered(request, frame.length)
      },
    })
    const proxy = new KafkaFaultProxy(relay)
    return proxy
  }

  get port(): number {
    return this.#relay.port
  }

  /** Watches one process, by its `kafka.client.id`, until the returned call; several may be watched at a time. */
  watch(clientId: string, watcher: Watcher): () => void {
    this.#watchers.set(clientId, watcher)
    return () => {
      if (this.#watchers.get(clientId) === watcher) this.#watchers.delete(clientId)
    }
  }

  /** Ends what `onRequest` and `onAnswer` do. */
  letAllPass(): void {
    this.onRequest = () => 'pass'
    this.onAnswer = () => 'pass'
  }

  close(): Promise<void> {
    return this.#relay.close()
  }

  #requested(request: SeenRequest): Passage {
    const passage = this.onRequest(request)
    return passage === 'pass' ? (this.#watchers.get(request.clientId)?.onRequest?.(request) ?? 'pass') : passage
  }

  #answered(request: SeenRequest, bytes: number): Passage {
    const passage = this.onAnswer(request, bytes)
    return passage === 'pass' ? (this.#watchers.get(request.clientId)?.onAnswer?.(request, bytes) ?? 'pass') : passage
  }
}

/** The same for Cassandra's native protocol, version 4. A process that reads rows has one connection for it. */
export class CassandraFaultProxy {
  /** Sees what reads rows, with the number of the connection. */
  onQuery: (connection: number) => Passage = () => 'pass'
  /** Sees every answer. */
  onAnswer: () => Passage = () => 'pass'
  readonly #relay: Relay

  private constructor(relay: Relay) {
    this.#relay = relay
  }

  static async start(serverPort: number): Promise<CassandraFaultProxy> {
    const numbers = new WeakMap<Socket, number>()
    let connections = 0
    const relay = await Relay.start(serverPort, {
      split: cqlFrames,
      fromClient(frame, client) {
        if (frame[4] !== executeOpcode) return 'pass'
        const number = numbers.get(client) ?? connections++
        numbers.set(client, number)
        return proxy.onQuery(number)
      },
      fromServer: () => proxy.onAnswer(),
    })
    const proxy = new CassandraFaultProxy(relay)
    return proxy
  }

  get port(): number {
    return this.#relay.port
  }

  letAllPass(): void {
    this.onQuery = () => 'pass'
    this.onAnswer = () => 'pass'
  }

  close(): Promise<void> {
    return this.#relay.close()
  }
}

const executeOpcode = 10

interface Traffic {
  /** Length of the first frame of these bytes; Infinity while that cannot be known. */
  readonly split: (bytes: Buffer) => number
  readonly fromClient: (frame: Buffer, client: Socket) => Passage
  readonly fromServer: (frame: Buffer, client: Socket) => Passage
}

const kafkaFrames = (bytes: Buffer): number => (bytes.length < 4 ? Infinity : 4 + bytes.readInt32BE(0))
const cqlFrames = (bytes: Buffer): number => (bytes.length < 9 ? Infinity : 9 + bytes.readInt32BE(5))

class Relay {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()

  private constructor(targetPort: number, traffic: Traffic) {
    this.#server = createServer((client) => {
      this.#join(client, connect(targetPort, '127.0.0.1'), traffic)
    })
  }

  static async start(targetPort: number, traffic: Traffic): Promise<Relay> {
    const relay = new Relay(targetPort, traffic)
    await new Promise<void>((resolve) => {
      relay.#server.listen(0, '127.0.0.1', resolve)
    })
    return relay
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

  #join(client: Socket, server: Socket, { split, fromClient, fromServer }: Traffic): void {
    let held = 0
    let ended = false
    const end = (): void => {
      ended = true
      client.destroy()
      if (held === 0) server.destroy()
    }
    for (const socket of [client, server]) {
      this.#sockets.add(socket)
      socket.setNoDelay(true)
      socket.on('error', end).on('close', () => {
        this.#sockets.delete(socket)
        end()
      })
    }
    const take = (judge: Traffic['fromClient'], to: Socket) =>
      eachFrame(split, (frame) => {
        const passage = judge(frame, client)
        if (passage === 'pass') to.write(frame)
        else if (passage === 'cut') end()
        else if (passage !== 'drop') {
          held += 1
          const released = typeof passage === 'number' ? sleep(systemClock, passage) : passage
          void released.finally(() => {
            held -= 1
            if (!to.destroyed) to.write(frame, () => ended && end())
          })
        }
      })
    client.on('data', take(fromClient, server))
    server.on('data', take(fromServer, client))
  }
}

function eachFrame(split: Traffic['split'], take: (frame: Buffer) => void): (chunk: Buffer) => void {
  let chunks: Buffer[] = []
  let bytes = 0
  let wanted = 0
  return (chunk) => {
    chunks.push(chunk)
    bytes += chunk.length
    if (bytes < wanted) return
    let rest = Buffer.concat(chunks)
    let length = split(rest)
    while (length <= rest.length) {
      take(rest.subarray(0, length))
      rest = rest.subarray(length)
      length = split(rest)
    }
    chunks = rest.length === 0 ? [] : [rest]
    bytes = rest.length
    wanted = length === Infinity ? 0 : length
  }
}
