import { hostname } from 'node:os'
import path from 'node:path'
import { rowLookupPort, type RowLookup } from './tables/rowLookup.ts'
import {
  cassandraConfig,
  cassandraOptionsOf,
  type CassandraConfig,
} from './connectors/cassandra/config/cassandraConfig.ts'
import { CassandraRowLookup } from './connectors/cassandra/lookup/cassandraRowLookup.ts'
import { cassandraSettings } from './connectors/cassandra/config/cassandraSettings.ts'
import { DriverSession } from './connectors/cassandra/client/driverSession.ts'
import { changelogDeleteRetentionMs } from './connectors/embedded/store/changelogCompaction.ts'
import { EmbeddedJobLog } from './connectors/embedded/log/embeddedJobLog.ts'
import { EmbeddedRowLookup } from './connectors/embedded/log/embeddedRowLookup.ts'
import type { EmbeddedStore } from './connectors/embedded/store/embeddedStore.ts'
import { kafkaConfig, type EpochTimes, type KafkaConfig } from './connectors/kafka/config/kafkaConfig.ts'
import { openKafkaJobLog, type KafkaJobLog } from './connectors/kafka/log/kafkaJobLog.ts'
import { kafkaSettings } from './connectors/kafka/config/kafkaSettings.ts'
import type { Clock } from './core/ports/clock.ts'
import { TidemarkError, messageOf } from './core/errors.ts'
import type { Logger } from './core/ports/logger.ts'
import type { Port, Resource } from './core/ports/port.ts'
import type { Random } from './core/ports/random.ts'
import type { HostPort } from './core/settingCodecs.ts'
import type { TaskId } from './core/ports/task.ts'
import { fileFailure } from './files/fileFailure.ts'
import { makeLevelDirectory, makeOwnDirectory } from './files/makeOwnDirectory.ts'
import { isRefusal, openDataDirectory, clusterDirectory } from './files/openDataDirectory.ts'
import type { JobEnvironment } from './runtime/job/jobEnvironment.ts'
import type { CassandraPlace } from './runtime/settings/chooseWorld.ts'
import type { ResolvedSettings } from './runtime/settings/resolvedSettings.ts'
import { LevelStateStore } from './state/levelStateStore.ts'
import { changelogRecords } from './state/changelogRecords.ts'
import { slotInstanceId, takeSlot, type Slot } from './state/slot.ts'
import { MemoryStateStore } from './state/memoryStateStore.ts'
import type { StateStore } from './state/stateStore.ts'
import { openTaskState } from './state/taskState.ts'

/** The settings of the connectors, beside the framework's own. */
export const worldSettings = { ...kafkaSettings, ...cassandraSettings } as const

export interface EnvironmentOptions {
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  /** `data.dir`, absolute. */
  readonly dataDirectory: string
  readonly stateBackend: 'file:' | 'memory:'
}

/** What the real world needs besides; the configurations are null for systems that the job does not use. */
export interface RealOptions extends EnvironmentOptions {
  readonly kafka: KafkaConfig | null
  readonly cassandra: CassandraConfig | null
  /** `state.slot`; null: the first free one. */
  readonly slot: number | null
  /** Where this process answers questions about itself; null: nowhere. */
  readonly controlAddress: string | null
}

/** A world, and what of it the runtime does not end itself. */
export interface RealEnvironment extends JobEnvironment {
  /** Gives the slot back; after the run. */
  close(): Promise<void>
}

/** One process of the embedded world has all tasks, so its stores stand in the first slot. */
const onlySlot = '0'

/**
 * The embedded world: the log and the tables of one directory, keyed state beside them. This file is where implementations
 * meet the runtime's ports, and the only one that knows both.
 */
export function embeddedEnvironment(store: EmbeddedStore, options: EnvironmentOptions): JobEnvironment {
  const { clock, random, log, dataDirectory, stateBackend } = options
  return {
    clock,
    random,
    log,
    records: changelogRecords,
    openLog: (spec) => EmbeddedJobLog.open(store, spec),
    async openState(task) {
      const names = ['embedded', task.job, onlySlot, storeName(task)]
      const directory = stateBackend === 'memory:' ? '' : await stateDirectory(dataDirectory, names)
      return openTaskState(stateStore(stateBackend, directory, log), clock, {
        maxAgeMs: changelogDeleteRetentionMs / 2,
      })
    },
    provide: (port) => provide(port, () => new EmbeddedRowLookup(store.tables), 'embedded'),
    onFailure: (failed) => store.writer.onFailure(failed),
  }
}

/**
 * The real world: Kafka and Cassandra. The local state of a job stands under `data.dir/<cluster id>/<job>/<slot>/<task>`;
 * the slot is taken before the group is joined, because the process is known again by it.
 */
export function realEnvironment(options: RealOptions): RealEnvironment {
  const { clock, random, log, dataDirectory, stateBackend, kafka, cassandra, controlAddress } = options
  const stores = new Map<number, StateStore>()
  let jobLog: KafkaJobLog | null = null
  let slot: Promise<Slot> | null = null
  const ownSlot = (job: string, clusterId: string | null): Promise<Slot> => {
    slot ??= openDataDirectory(dataDirectory, { purpose: 'write', note: (line) => log.info(line) })
      .then((directory) => makeOwnDirectory(directory, [clusterDirectory(clusterId), job]))
      .then((place) => takeSlot(place.path, options.slot))
    return slot
  }
  /** Null where nothing can be written: what the process is known by must outlive it. */
  const instanceId = async (job: string, clusterId: string | null): Promise<string | null> => {
    try {
      const { directory, number } = await ownSlot(job, clusterId)
      const configured = kafka?.instanceId ?? null
      return configured === null ? await slotInstanceId(directory, random) : `${configured}-${String(number)}`
    } catch (error) {
      if (error instanceof TidemarkError && (error.code === 'directory-in-use' || isRefusal(error))) throw error
      // A job that keeps state in files meets the same error when it opens it.
      log.warn(
        'This process has no directory to be known by: when it is killed and started again, its partitions wait for kafka.session.timeout.ms',
        { directory: dataDirectory, reason: messageOf(error) },
      )
      return null
    }
  }
  return {
    clock,
    random,
    log,
    records: changelogRecords,
    async openLog(spec) {
      if (kafka === null) throw new TidemarkError('broken-invariant', 'The job uses Kafka, and there is none')
      jobLog = await openKafkaJobLog(kafka, spec, {
        clock,
        log,
        random,
        process: `${hostname()}, process ${String(process.pid)}`,
        controlAddress,
        instanceId: (clusterId) => instanceId(spec.job, clusterId),
        localStores: () =>
          new Map(
            [...stores].flatMap(([task, { position }]) => (position === null ? [] : [[task, position.changelogEnd]])),
          ),
      })
      return jobLog
    },
    async openState(task) {
      const directory =
        stateBackend === 'memory:'
          ? ''
          : await (await ownSlot(task.job, jobLog?.clusterId ?? null)).storeDirectory(storeName(task))
      const store = stateStore(stateBackend, directory, log)
      stores.set(task.partition, store)
      // Without a log nothing is known of the changelog, and no store is young enough.
      return openTaskState(store, clock, { maxAgeMs: (jobLog?.deleteRetentionMs ?? 0) / 2 })
    },
    provide: (port) => provide(port, () => cassandraRows(cassandra, clock, log), 'real'),
    close: async () => {
      // A slot that could not be had has failed the run already.
      const held = await slot?.catch(() => null)
      await held?.close()
    },
  }
}

/** Rows of Cassandra; not connected yet. */
export function cassandraRows(config: CassandraConfig | null, clock: Clock, log: Logger): RowLookup {
  if (config === null) throw new TidemarkError('broken-invariant', 'The job uses Cassandra, and there is none')
  return new CassandraRowLookup(new DriverSession(config, clock, log), config, clock, log)
}

/** How Kafka is reached, from the settings. Throws `invalid-setting`. */
export function kafkaConfigOf(
  settings: ResolvedSettings,
  brokers: readonly HostPort[],
  lookupDeadlineMs: number,
  clock: Clock,
): KafkaConfig {
  const times: EpochTimes = {
    intervalMs: settings.get('checkpoint.interval.ms'),
    minPauseMs: settings.get('checkpoint.min.pause.ms'),
    timeoutMs: settings.get('checkpoint.timeout.ms'),
    lookupDeadlineMs,
  }
  return kafkaConfig(brokers, settings.of(kafkaSettings), times, clock)
}

/** How Cassandra is reached, from the settings. Throws `invalid-setting`. */
export function cassandraConfigOf(settings: ResolvedSettings, place: CassandraPlace): CassandraConfig {
  return cassandraConfig(cassandraOptionsOf(place, settings.of(cassandraSettings)))
}

/** A directory of LevelDB below the data directory. */
async function stateDirectory(dataDirectory: string, names: readonly string[]): Promise<string> {
  try {
    return await makeLevelDirectory(dataDirectory, names)
  } catch (error) {
    const directory = path.join(dataDirectory, ...names)
    throw fileFailure(error, `The state directory ${directory} cannot be made`, { directory })
  }
}

function storeName({ group, partition }: TaskId): string {
  return `${group}-${String(partition)}`
}

function stateStore(backend: EnvironmentOptions['stateBackend'], directory: string, log: Logger): StateStore {
  return backend === 'memory:' ? new MemoryStateStore() : new LevelStateStore(directory, { log })
}

function provide<T extends Resource>(port: Port<T>, rows: () => RowLookup, world: string): T {
  if (port.name !== rowLookupPort.name) {
    throw new TidemarkError('invalid-plan', `The ${world} world has nothing under the port ${port.name}`)
  }
  // A port's name stands for its type.
  return rows() as Resource as T
}
