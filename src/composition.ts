import { hostname } from 'node:os'
import { cassandraSystem } from './connectors/cassandra/system.ts'
import { embeddedSystem } from './connectors/embedded/system.ts'
import { kafkaSystem } from './connectors/kafka/system.ts'
import type { JobLogs, OpenedJobLog } from './core/ports/jobLogs.ts'
import type { Port, Resource } from './core/ports/port.ts'
import type { OpenedSystem, System, SystemEnvironment } from './core/ports/system.ts'
import { TidemarkError } from './core/errors.ts'
import type { JobEnvironment } from './runtime/job/jobEnvironment.ts'
import { systemUnder, type World } from './runtime/settings/chooseWorld.ts'
import type { ResolvedSettings } from './runtime/settings/resolvedSettings.ts'
import { changelogRecords } from './state/changelogRecords.ts'
import { LocalStores, type LocalStoresOptions } from './state/localStores.ts'

/** Every system. This list is the only place outside of their folders that names them. */
export const systems: readonly System[] = [embeddedSystem, kafkaSystem, cassandraSystem]

/** The systems of a world, each opened once, when something of it is asked for. */
export class OpenedWorld {
  readonly #world: World
  readonly #settings: ResolvedSettings
  readonly #environment: SystemEnvironment
  readonly #opened = new Map<System, OpenedSystem>()
  readonly #connected = new Map<string, { readonly client: Resource; readonly connecting: Promise<void> }>()

  constructor(world: World, settings: ResolvedSettings, environment: SystemEnvironment) {
    this.#world = world
    this.#settings = settings
    this.#environment = environment
  }

  open(system: System): OpenedSystem {
    const opened = this.#opened.get(system) ?? system.open(this.#settings, this.#environment)
    this.#opened.set(system, opened)
    return opened
  }

  /** A client that is not connected yet; the caller closes it. Throws `invalid-plan` for a port this world does not have. */
  provide<T extends Resource>(port: Port<T>): T {
    return this.open(systemUnder(this.#world, port)).provide(port)
  }

  /** The one client of this world under a port, connected; `close` closes it. */
  async connected<T extends Resource>(port: Port<T>): Promise<T> {
    let found = this.#connected.get(port.name)
    if (found === undefined) {
      const client = this.provide(port)
      found = { client, connecting: client.connect() }
      this.#connected.set(port.name, found)
    }
    await found.connecting
    // A port's name stands for its type.
    return found.client as T
  }

  async close(): Promise<void> {
    await Promise.all([...this.#connected.values()].map(({ client }) => client.close()))
  }
}

export interface EnvironmentOptions extends LocalStoresOptions {
  /** Where this process answers questions about itself; null: nowhere. */
  readonly controlAddress: string | null
}

/** A world, and what of it the runtime does not end itself. */
export interface ClosableEnvironment extends JobEnvironment {
  /** After the run. */
  close(): Promise<void>
}

/**
 * A world as the runtime sees it: the log and the clients of its systems, keyed state beside them. This file is where
 * implementations meet the runtime's ports, and the only one that knows both.
 */
export function jobEnvironment(
  logs: Pick<JobLogs, 'open' | 'onFailure'>,
  provide: JobEnvironment['provide'],
  options: EnvironmentOptions,
): ClosableEnvironment {
  const { clock, random, log, controlAddress } = options
  const stores = new LocalStores(options)
  let opened: OpenedJobLog | null = null
  return {
    clock,
    random,
    log,
    records: changelogRecords,
    async openLog(spec) {
      opened = await logs.open(spec, {
        name: `${hostname()}, process ${String(process.pid)}`,
        controlAddress,
        directory: (place) => stores.directory(place, spec.job),
        localStores: () => stores.positions(),
      })
      return opened.log
    },
    openState(task) {
      if (opened === null) throw new TidemarkError('broken-invariant', 'State is opened before the log')
      return stores.open(task, opened)
    },
    provide,
    ...(logs.onFailure === undefined ? {} : { onFailure: (failed) => logs.onFailure?.(failed) ?? (() => undefined) }),
    close: () => stores.close(),
  }
}
