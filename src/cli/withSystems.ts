import path from 'node:path'
import { cassandraConfigOf, cassandraRows, kafkaConfigOf } from '../composition.ts'
import type { RowLookup } from '../tables/rowLookup.ts'
import { CassandraTables } from '../connectors/cassandra/schema/cassandraTables.ts'
import { DriverSession } from '../connectors/cassandra/client/driverSession.ts'
import type { StoreAccess } from '../connectors/embedded/shared/storeAccess.ts'
import type { TableDescription } from '../connectors/embedded/store/tableStore.ts'
import { withStore } from '../connectors/embedded/shared/withStore.ts'
import { KafkaTopics } from '../connectors/kafka/topics/kafkaTopics.ts'
import type { Clock } from '../core/ports/clock.ts'
import { TidemarkError } from '../core/errors.ts'
import { silentLogger } from '../core/ports/logger.ts'
import { chooseWorld, type World, type WorldNeeds } from '../runtime/settings/chooseWorld.ts'
import type { ResolvedSettings } from '../runtime/settings/resolvedSettings.ts'
import { settingsOf, type CommandContext, type CommonOptions } from './commandContext.ts'
import { storeRowLookup } from './storeRowLookup.ts'

/** What commands do with topics, in any world. */
export type TopicStore = Pick<
  StoreAccess,
  'createTopic' | 'listTopics' | 'describeTopic' | 'append' | 'readPage' | 'committedOffsets'
>

/** A table without what only the embedded store knows of it. */
export type ListedTable = Omit<TableDescription, 'definition'>

/** What commands do with tables, in any world. */
export type TableStore = Pick<StoreAccess, 'loadTable' | 'readTable'> & {
  listTables(): Promise<readonly ListedTable[]>
}

/**
 * Runs one short act on a store. The embedded one is opened for as long as the act takes, or asked through the process that
 * holds it, and a job that wants to start waits for it: so an act never waits for input or output. Connections to the real
 * systems last as long as the command.
 */
export type Acts<Store> = <T>(act: (store: Store) => Promise<T>) => Promise<T>

/** The systems of a command: topics, tables, and rows as operators look them up. */
export interface Systems {
  readonly topics: Acts<TopicStore>
  readonly tables: Acts<TableStore>
  readonly rows: Acts<RowLookup>
}

export interface SystemsRequest {
  readonly settings: ResolvedSettings
  readonly needs: WorldNeeds
  /** Reading makes no data directory where there is none. */
  readonly purpose: 'read' | 'write'
}

/** A table is made by several statements, and nodes agree on it before they answer. */
const schemaTimeoutMs = 20_000

/**
 * Opens what a command works on, in the world that the settings choose, and closes it after the command. Throws
 * `mixed-worlds`, and `system-unreachable` when a system does not answer.
 */
export async function withSystems<T>(
  context: CommandContext,
  request: SystemsRequest,
  act: (systems: Systems) => Promise<T>,
): Promise<T> {
  const world = chooseWorld(request.settings, request.needs)
  if (world.kind === 'embedded') return act(embeddedSystems(context, request))
  const real = new RealSystems(world, request.settings, context.io.clock)
  try {
    return await act(real)
  } finally {
    await real.close()
  }
}

/** Topics alone, for commands without a job: `kafka.bootstrap.servers` decides. */
export function withTopics<T>(
  context: CommandContext,
  options: CommonOptions,
  purpose: SystemsRequest['purpose'],
  act: (topics: Acts<TopicStore>) => Promise<T>,
): Promise<T> {
  const settings = settingsOf(context, options, null)
  return withSystems(context, { settings, needs: { log: true, rows: false }, purpose }, ({ topics }) => act(topics))
}

/** Tables alone, for commands without a job: `cassandra.contact.points` decides. */
export function withTables<T>(
  context: CommandContext,
  options: CommonOptions,
  purpose: SystemsRequest['purpose'],
  act: (tables: Acts<TableStore>) => Promise<T>,
): Promise<T> {
  const settings = settingsOf(context, options, null)
  return withSystems(context, { settings, needs: { log: false, rows: true }, purpose }, ({ tables }) => act(tables))
}

function embeddedSystems({ io, err }: CommandContext, { settings, purpose }: SystemsRequest): Systems {
  const directory = path.resolve(io.directory, settings.get('data.dir'))
  const storeOptions = {
    clock: io.clock,
    partitions: settings.get('embedded.partitions'),
    purpose,
    note: (line: string) => void err.line(line),
  }
  const inStore: Acts<StoreAccess> = (act) => withStore(directory, storeOptions, act)
  return {
    topics: inStore,
    tables: inStore,
    rows: (act) =>
      inStore(async (store) => {
        const rows = storeRowLookup(store)
        await rows.connect()
        return act(rows)
      }),
  }
}

/** Connected at the first act. */
class RealSystems implements Systems {
  readonly #world: World & { readonly kind: 'real' }
  readonly #settings: ResolvedSettings
  readonly #clock: Clock
  #topics: KafkaTopics | null = null
  #session: DriverSession | null = null
  #tables: CassandraTables | null = null
  #rows: RowLookup | null = null

  constructor(world: World & { readonly kind: 'real' }, settings: ResolvedSettings, clock: Clock) {
    this.#world = world
    this.#settings = settings
    this.#clock = clock
  }

  readonly topics: Acts<TopicStore> = (act) => {
    const { brokers } = this.#world
    if (brokers === null) throw unplanned('Kafka')
    const config = kafkaConfigOf(this.#settings, brokers, 0, this.#clock)
    this.#topics ??= new KafkaTopics(config, { clock: this.#clock, log: silentLogger })
    return act(this.#topics)
  }

  readonly tables: Acts<TableStore> = async (act) => {
    const { cassandra } = this.#world
    if (cassandra === null) throw unplanned('Cassandra')
    const config = cassandraConfigOf(this.#settings, cassandra)
    const requestTimeoutMs = Math.max(config.requestTimeoutMs, schemaTimeoutMs)
    this.#session ??= new DriverSession({ ...config, requestTimeoutMs }, this.#clock, silentLogger)
    await this.#session.connect()
    this.#tables ??= new CassandraTables(this.#session, config.localDatacenter)
    return act(this.#tables)
  }

  readonly rows: Acts<RowLookup> = async (act) => {
    const { cassandra } = this.#world
    if (cassandra === null) throw unplanned('Cassandra')
    this.#rows ??= cassandraRows(cassandraConfigOf(this.#settings, cassandra), this.#clock, silentLogger)
    await this.#rows.connect()
    return act(this.#rows)
  }

  async close(): Promise<void> {
    await Promise.all([this.#topics?.close(), this.#session?.close(), this.#rows?.close()])
  }
}

function unplanned(system: string): TidemarkError {
  return new TidemarkError('broken-invariant', `A command uses ${system}, and did not say so`)
}
