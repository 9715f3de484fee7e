import { connect as connectPlain, isIP, type Socket } from 'node:net'
import { connect as connectTls, type ConnectionOptions } from 'node:tls'
import type { Clock } from '../../../core/ports/clock.ts'
import type { Logger } from '../../../core/ports/logger.ts'
import { formatHostPort, type HostPort } from '../../../core/settingCodecs.ts'
import { connectionFailure } from './connectionFailure.ts'
import { systemUnreachable } from './kafkaErrors.ts'
import {
  closeBroker,
  createBroker,
  kafkajsLogger,
  type KafkajsBroker,
  type KafkajsLogger,
  type SaslOptions,
} from './kafkajs.ts'
import type { BrokerAddress } from '../protocol/metadata.ts'
import { NotKafka } from '../protocol/frameReader.ts'

/** How brokers are reached. */
export interface KafkaConnection {
  readonly bootstrapServers: readonly HostPort[]
  /** Shows in the brokers' logs and quotas. */
  readonly clientId: string
  /** Null: plain text. */
  readonly tls: ConnectionOptions | null
  /** Null: no authentication. */
  readonly sasl: SaslOptions | null
  readonly connectionTimeoutMs: number
  /** How long an answer may take. */
  readonly requestTimeoutMs: number
}

const keepAliveMs = 60_000

/** Where the brokers of a cluster are, by node id. */
export interface AddressBook {
  addressOf(nodeId: number): BrokerAddress | undefined
}

/**
 * Connections to the brokers of one cluster, made on first use. A broker answers the requests of one connection one after
 * the other, so whatever may not wait for something else has a pool of its own: the consumer group (a join is held back),
 * each task's producer, and everything else; fetches have their own connection in each pool.
 */
export class BrokerPool {
  readonly #connection: KafkaConnection
  readonly #addresses: AddressBook
  readonly #clock: Clock
  readonly #logger: KafkajsLogger
  /** By node id; bootstrap servers, whose ids are not known, by address. */
  readonly #brokers = new Map<number | string, { readonly address: string; readonly broker: KafkajsBroker }>()
  /** The address of the broker that did not answer last; the others are asked first. */
  #distrusted: string | null = null
  #closed: Error | null = null

  constructor(connection: KafkaConnection, addresses: AddressBook, clock: Clock, log: Logger) {
    this.#connection = connection
    this.#addresses = addresses
    this.#clock = clock
    this.#logger = kafkajsLogger(({ namespace, label, log: entry }) => {
      log.debug(entry.message, { from: `kafkajs ${namespace}`, severity: label.toLowerCase() })
    })
  }

  /** A connected broker. Rejects with `system-unreachable`. */
  async broker(nodeId: number): Promise<KafkajsBroker> {
    const known = this.#addresses.addressOf(nodeId)
    if (known === undefined) throw systemUnreachable(`Kafka broker ${String(nodeId)} is not known any more`)
    return this.#connected(nodeId, known)
  }

  /** Any broker that is connected or can be: those that are known, then the bootstrap servers. */
  async any(nodeIds: readonly number[]): Promise<KafkajsBroker> {
    const connected = [...this.#brokers].filter(([, { broker }]) => broker.isConnected())
    const [, best] = connected.find(([id]) => typeof id === 'number') ?? connected[0] ?? []
    if (best !== undefined) return best.broker
    const known = nodeIds.flatMap((nodeId) => {
      const place = this.#addresses.addressOf(nodeId)
      return place === undefined ? [] : [{ address: formatHostPort(place), connect: () => this.broker(nodeId) }]
    })
    const seeds = this.#connection.bootstrapServers.map((place) => {
      const address = formatHostPort(place)
      return { address, connect: () => this.#connected(address, place) }
    })
    const places = [...known, ...seeds]
    const trusted = places.filter(({ address }) => address !== this.#distrusted)
    let failure: unknown
    for (const { connect } of [...trusted, ...places.filter((place) => !trusted.includes(place))]) {
      try {
        return await connect()
      } catch (error) {
        failure = error
      }
    }
    throw failure
  }

  /** Ends the connections to a broker that does not answer; it is connected again when it is needed. */
  distrust(broker: KafkajsBroker): void {
    for (const [id, entry] of this.#brokers) {
      if (entry.broker !== broker) continue
      this.#brokers.delete(id)
      this.#distrusted = entry.address
    }
    void closeBroker(broker, new Error('The broker does not answer'))
  }

  /** Ends all connections at once; what is under way rejects. */
  async close(): Promise<void> {
    const reason = (this.#closed ??= new Error('The connection was closed by this process'))
    const entries = [...this.#brokers.values()]
    this.#brokers.clear()
    await Promise.all(entries.map(({ broker }) => closeBroker(broker, reason)))
  }

  async #connected(id: number | string, place: HostPort): Promise<KafkajsBroker> {
    const address = formatHostPort(place)
    let entry = this.#brokers.get(id)
    if (entry?.address !== address) {
      if (entry !== undefined) void closeBroker(entry.broker, new Error('The broker has moved'))
      entry = { address, broker: this.#create(place, typeof id === 'number' ? id : null) }
      this.#brokers.set(id, entry)
    }
    const { broker } = entry
    if (broker.isConnected()) return broker
    try {
      await broker.connect()
      // It says that it knows no request at all.
      if (Object.keys(broker.versions ?? {}).length === 0) throw new NotKafka()
      return broker
    } catch (error) {
      if (error instanceof NotKafka) void closeBroker(broker, error)
      const { tls, sasl } = this.#connection
      throw connectionFailure(error, {
        address,
        tls: tls !== null,
        mechanism: sasl?.mechanism.toUpperCase() ?? null,
      })
    }
  }

  #create({ host, port }: HostPort, nodeId: number | null): KafkajsBroker {
    if (this.#closed !== null) throw systemUnreachable(this.#closed.message)
    const { clientId, tls, sasl, connectionTimeoutMs, requestTimeoutMs } = this.#connection
    return createBroker(
      nodeId,
      {
        host,
        port,
        ssl: tls,
        // kafkajs notes its authenticator there.
        sasl: sasl === null ? null : { ...sasl },
        clientId,
        connectionTimeout: connectionTimeoutMs,
        requestTimeout: requestTimeoutMs,
        socketFactory: openSocket,
        logger: this.#logger,
      },
      this.#clock,
    )
  }
}

function openSocket(options: {
  host: string
  port: number
  ssl: ConnectionOptions | null
  onConnect: () => void
}): Socket {
  const { host, port, ssl, onConnect } = options
  const socket =
    ssl === null
      ? connectPlain({ host, port }, onConnect)
      : connectTls({ host, port, ...(isIP(host) === 0 ? { servername: host } : {}), ...ssl }, onConnect)
  socket.setKeepAlive(true, keepAliveMs)
  socket.setNoDelay(true)
  return socket
}
