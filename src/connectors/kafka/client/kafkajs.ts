import { createRequire } from 'node:module'
import type { Socket } from 'node:net'
import type { ConnectionOptions } from 'node:tls'
import type { Clock } from '../../../core/ports/clock.ts'
import { TidemarkError } from '../../../core/errors.ts'
import { guardConnection, type KafkajsConnection } from './guardConnection.ts'

/**
 * The door to kafkajs, which is used below its consumer and producer: connections, authentication, and the encoding of
 * requests. What is above them cannot be made right from outside (see docs/decisions.md): its consumer leaks aborted
 * records, its producer cannot recover from an unknown outcome, both lose header order. kafkajs 2.2.4 is the last release
 * of a project that is at rest, so its inner modules do not move; another version is refused.
 */

const require = createRequire(import.meta.url)
const supportedVersion = '2.2.4'

const { version } = require('kafkajs/package.json') as { readonly version: string }
if (version !== supportedVersion) {
  throw new TidemarkError(
    'broken-invariant',
    `kafkajs ${version} is installed, and the Kafka connector stands on the inner modules of ${supportedVersion}: install exactly that version`,
  )
}

/** What goes to a broker and how its answer is read; for requests that kafkajs does not have, or not rightly. */
export interface RawRequest {
  readonly request: {
    readonly apiKey: number
    readonly apiVersion: number
    readonly apiName: string
    encode(): Promise<{ readonly buf: Buffer; readonly buffer: Buffer }>
  }
  readonly response: {
    decode(bytes: Buffer): Promise<unknown>
    parse(decoded: unknown): Promise<unknown>
  }
  /** Longer than the general one, for requests that the broker holds back. */
  readonly requestTimeout?: number
}

/** The sockets to one broker: the second one is for fetches, which the broker holds back. */
interface ConnectionPool {
  readonly pool: readonly KafkajsConnection[]
  getConnection(index?: number): Promise<KafkajsConnection>
  send(request: RawRequest): Promise<unknown>
}

/** How kafkajs authenticates; it adds `authenticationProvider` itself. */
export type SaslOptions =
  | {
      readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512'
      readonly username: string
      readonly password: string
    }
  | { readonly mechanism: 'oauthbearer'; readonly oauthBearerProvider: () => Promise<{ readonly value: string }> }

interface SocketFactory {
  (options: { host: string; port: number; ssl: ConnectionOptions | null; onConnect: () => void }): Socket
}

export interface ConnectionPoolOptions {
  readonly host: string
  readonly port: number
  readonly ssl: ConnectionOptions | null
  readonly sasl: SaslOptions | null
  readonly clientId: string
  readonly connectionTimeout: number
  readonly requestTimeout: number
  readonly socketFactory: SocketFactory
  readonly logger: KafkajsLogger
}

interface OffsetsOfTopic {
  readonly topic: string
  readonly partitions: readonly {
    readonly partition: number
    readonly offset: string
    /** kafkajs' own types hide that it is passed through. */
    readonly metadata: string
  }[]
}

interface TransactionalRequest {
  readonly transactionalId: string
  readonly producerId: string
  readonly producerEpoch: number
}

/** A member of a consumer group as its leader sees it. */
export interface GroupMemberMetadata {
  readonly memberId: string
  readonly memberMetadata: Buffer
}

/** One broker, with the requests of kafkajs that are used; each rejects with the broker's error code. */
export interface KafkajsBroker {
  readonly connectionPool: ConnectionPool
  readonly versions: Readonly<Record<number, { readonly minVersion: number; readonly maxVersion: number }>> | null
  connect(): Promise<void>
  isConnected(): boolean
  findGroupCoordinator(request: {
    readonly groupId: string
    readonly coordinatorType: 0 | 1
  }): Promise<{ readonly coordinator: { readonly nodeId: number; readonly host: string; readonly port: number } }>
  initProducerId(request: {
    readonly transactionalId: string
    readonly transactionTimeout: number
  }): Promise<{ readonly producerId: string; readonly producerEpoch: number }>
  addOffsetsToTxn(request: TransactionalRequest & { readonly groupId: string }): Promise<unknown>
  txnOffsetCommit(
    request: TransactionalRequest & { readonly groupId: string; readonly topics: readonly OffsetsOfTopic[] },
  ): Promise<unknown>
  endTxn(request: TransactionalRequest & { readonly transactionResult: boolean }): Promise<unknown>
  listOffsets(request: {
    readonly replicaId: -1
    readonly isolationLevel: 0 | 1
    readonly topics: readonly {
      readonly topic: string
      readonly partitions: readonly { readonly partition: number; readonly timestamp: number }[]
    }[]
  }): Promise<{
    readonly responses: readonly {
      readonly partitions: readonly { readonly partition: number; readonly offset: string }[]
    }[]
  }>
  describeConfigs(request: {
    readonly resources: readonly {
      readonly type: 2 | 4
      readonly name: string
      readonly configNames: readonly string[]
    }[]
  }): Promise<{
    readonly resources: readonly {
      readonly resourceName: string
      readonly configEntries: readonly { readonly configName: string; readonly configValue: string | null }[]
    }[]
  }>
  createPartitions(request: {
    readonly topicPartitions: readonly { readonly topic: string; readonly count: number }[]
  }): Promise<unknown>
  deleteRecords(request: {
    readonly topics: readonly {
      readonly topic: string
      readonly partitions: readonly { readonly partition: number; readonly offset: string }[]
    }[]
  }): Promise<unknown>
}

export interface KafkajsLogger {
  namespace(name: string): KafkajsLogger
}

/** Reads and writes of kafkajs' log entries go through this. */
export interface KafkajsLogEntry {
  readonly namespace: string
  readonly label: string
  readonly log: { readonly message: string } & Readonly<Record<string, unknown>>
}

const PoolOfKafkajs = require('kafkajs/src/network/connectionPool') as new (
  options: ConnectionPoolOptions,
) => ConnectionPool
const BrokerOfKafkajs = require('kafkajs/src/broker') as new (options: {
  readonly connectionPool: ConnectionPool
  readonly logger: KafkajsLogger
  readonly nodeId: number | null
  readonly allowAutoTopicCreation: false
}) => KafkajsBroker
const { createLogger, LEVELS } = require('kafkajs/src/loggers') as {
  readonly createLogger: (options: {
    readonly level: number
    logCreator(level: number): (entry: KafkajsLogEntry) => void
  }) => KafkajsLogger
  readonly LEVELS: { readonly DEBUG: number; readonly WARN: number }
}

/** kafkajs opens a socket for each request that finds none, so that two at once would leak one: here they share it. */
class SharingConnectionPool extends PoolOfKafkajs {
  readonly #connecting = new Map<KafkajsConnection, Promise<unknown>>()

  override async getConnection(index = 0): Promise<KafkajsConnection> {
    const connection = this.pool[index]
    if (connection === undefined)
      throw new TidemarkError('broken-invariant', `kafkajs has no connection ${String(index)}`)
    if (!connection.isConnected()) {
      let connecting = this.#connecting.get(connection)
      if (connecting === undefined) {
        connecting = connection.connect().finally(() => this.#connecting.delete(connection))
        this.#connecting.set(connection, connecting)
      }
      await connecting
    }
    return connection
  }
}

/** A broker that is not connected yet. */
export function createBroker(nodeId: number | null, options: ConnectionPoolOptions, clock: Clock): KafkajsBroker {
  const connectionPool = new SharingConnectionPool(options)
  for (const connection of connectionPool.pool) guardConnection(connection, clock)
  return new BrokerOfKafkajs({ connectionPool, logger: options.logger, nodeId, allowAutoTopicCreation: false })
}

/** Ends its connections at once; whatever is under way rejects with `reason`. */
export async function closeBroker({ connectionPool }: KafkajsBroker, reason: Error): Promise<void> {
  await Promise.all(
    connectionPool.pool.map(async (connection) => {
      const connected = connection.isConnected()
      connection.rejectRequests(reason)
      await connection.disconnect()
      // One that is still connecting would wait for its timeout, and keep the process alive, if it were not told an error.
      connection.socket?.destroy(connected ? undefined : reason)
    }),
  )
}

/** Passes what kafkajs logs on; it tells nothing of use below warnings unless somebody wants to see everything. */
export function kafkajsLogger(write: (entry: KafkajsLogEntry) => void): KafkajsLogger {
  return createLogger({ level: LEVELS.WARN, logCreator: () => write })
}
