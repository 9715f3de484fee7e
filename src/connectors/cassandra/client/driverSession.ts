import { Client, types, type Host, type QueryOptions } from 'cassandra-driver'
import { within, type Clock } from '../../../core/ports/clock.ts'
import { TidemarkError } from '../../../core/errors.ts'
import type { Logger } from '../../../core/ports/logger.ts'
import type { CassandraConfig } from '../config/cassandraConfig.ts'
import { connectFailure } from './connectFailure.ts'
import type { CqlRequest, CqlResponse, CqlSession } from './cqlSession.ts'
import { driverOptions } from '../config/driverOptions.ts'
import { OpenConnections } from '../protocol/openConnections.ts'
import { cellsOf } from '../protocol/rawCells.ts'

/** However many contact points there are and whatever they do: an answer within 15 s. */
const startTimeoutMs = 14_000

/** Not in the driver's type definitions. */
interface ReplacedHost {
  shutdown(waitForPending: boolean): Promise<void>
}

/** A session over cassandra-driver. Its memory is the driver's: sockets, prepared statements, requests in flight. */
export class DriverSession implements CqlSession {
  readonly #config: CassandraConfig
  readonly #clock: Clock
  readonly #log: Logger
  readonly #connections: OpenConnections
  #client: Client | null = null
  #connected: Promise<void> | null = null
  #closed: Promise<void> | null = null
  /** The last thing that went wrong with a connection: all there is to tell when a start takes too long. */
  #lastFailure: unknown = undefined

  constructor(config: CassandraConfig, clock: Clock, log: Logger) {
    this.#config = config
    this.#clock = clock
    this.#log = log
    this.#connections = new OpenConnections(clock)
  }

  connect(): Promise<void> {
    this.#connected ??= this.#connect()
    return this.#connected
  }

  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async execute({ cql, values, route, systemTable, pageRows, pageState }: CqlRequest): Promise<CqlResponse> {
    const client = this.#client
    if (client === null || this.#closed !== null) {
      throw new TidemarkError('system-unreachable', 'The Cassandra session is not open.', {
        details: { system: 'cassandra' },
      })
    }
    const options: QueryOptions = { executionProfile: this.#config.executionProfile }
    if (route !== undefined) {
      options.prepare = true
      options.keyspace = route.keyspace
      if (route.key !== null) options.routingKey = route.key
    }
    if (systemTable === true) options.consistency = types.consistencies.localOne
    if (pageRows !== undefined) options.fetchSize = pageRows
    if (pageState !== undefined) options.pageState = pageState
    const result = await client.execute(cql, values as Buffer[], options)
    return {
      // Without rows in the answer the driver leaves these undefined or null, whatever its types say.
      columns: result.columns ?? [],
      rows: ((result.rows as typeof result.rows | undefined) ?? []).map(cellsOf),
      pageState: result.pageState ?? null,
    }
  }

  async #connect(): Promise<void> {
    if (this.#closed !== null) throw connectFailure(new Error('the session was closed'), this.#config)
    const options = await driverOptions(this.#config, this.#connections)
    const client = new Client(options)
    this.#client = client
    client.on('log', (level: string, source: string, message: string, further: unknown) => {
      this.#logged(level, source, message, further)
    })
    const connecting = client.connect()
    try {
      await this.#inTime(connecting)
    } catch (error) {
      // The driver cannot be told to stop connecting; without connections that ends by itself.
      this.#connections.destroyAll()
      void connecting.then(
        () => client.shutdown(),
        () => undefined,
      )
      throw connectFailure(error, this.#config)
    }
    client.on('hostDown', (host: Host) => {
      this.#log.warn('Lost a Cassandra node; it is tried again', { node: host.address })
    })
    // When the driver finds its way back by a contact point it makes a new node of it and forgets the old one, whose timers
    // and reconnecting would go on for ever.
    client.hosts.on('remove', (host: Partial<ReplacedHost>) => {
      host.shutdown?.(false).catch(() => undefined)
    })
    client.on('hostUp', (host: Host) => {
      this.#log.info('A Cassandra node is back', { node: host.address })
    })
    this.#log.info('Connected to Cassandra', { nodes: client.hosts.length, datacenter: this.#config.localDatacenter })
  }

  #inTime(connecting: Promise<void>): Promise<void> {
    return within(this.#clock, startTimeoutMs, connecting, () => {
      const last = this.#lastFailure
      const cause = last instanceof Error ? last : undefined
      throw new Error(`no connection within ${String(startTimeoutMs / 1_000)} s`, { cause })
    })
  }

  async #close(): Promise<void> {
    const client = this.#client
    if (client === null) return
    await this.#connected?.catch(() => undefined)
    const shutDown = client.shutdown()
    // It waits for each node to say goodbye; one that hangs would not.
    this.#connections.destroyAll()
    await shutDown
  }

  #logged(level: string, source: string, message: string, further: unknown): void {
    if (level !== 'warning' && level !== 'error') return
    if (further instanceof Error) this.#lastFailure = further
    this.#log.debug('cassandra-driver', { level, source, message })
  }
}
