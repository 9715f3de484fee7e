import { changelogDeleteRetentionMs } from '../../../src/connectors/embedded/store/changelogCompaction.ts'
import { EmbeddedStore } from '../../../src/connectors/embedded/store/embeddedStore.ts'
import type { Storage } from '../../../src/connectors/embedded/store/storage.ts'
import type { JobEnvironment } from '../../../src/runtime/job/jobEnvironment.ts'
import type { StateStore } from '../../../src/state/stateStore.ts'
import { openTaskState } from '../../../src/state/taskState.ts'
import { ManualClock } from '../../../src/testing/world/manualClock.ts'
import { processStateStore } from '../../../src/testing/world/processStateStore.ts'
import { seededRandom } from '../../../src/testing/world/seededRandom.ts'
import { DiskStorage, type Disk } from '../../connectors/embedded/diskStorage.ts'
import { partitions, type CrashCase } from './crashCase.ts'
import { worldOf } from '../startOnStore.ts'
import { MortalProcess, type Crash } from './mortalProcess.ts'
import { UnsyncedStateDisk } from './unsyncedStateDisk.ts'

const startMs = Date.UTC(2026, 0, 1)
/** From a crash to the next start. */
const downMs = 1_000

/** A bug, put between the job and its world. */
export interface PlantedFault {
  /** Nothing is ever synced. */
  readonly ignoreSync?: boolean
  storage?(storage: Storage): Storage
  stateStore?(store: StateStore): StateStore
  /** `stores`: the local state of each task, by partition. */
  environment?(environment: JobEnvironment, stores: ReadonlyMap<number, StateStore>): JobEnvironment
}

/** What a process leaves behind: how many calls it made, why it died, and what it had shown of the log to others. */
export interface ProcessEnd {
  readonly calls: number
  readonly crash: string | null
  /** Offset up to which a reader could read, by topic and partition; null: it died before anybody could read. */
  readonly readable: ReadonlyMap<string, readonly number[]> | null
}

/**
 * The machine of an embedded job: the disk with log and tables, and those with local state. Processes run on it one after
 * the other; what one leaves behind when it dies is what the next one finds.
 */
export class CrashWorld {
  readonly disk: Disk
  /** Local state by partition. */
  readonly states = new Map<number, UnsyncedStateDisk>()
  readonly #case: CrashCase
  readonly #fault: PlantedFault
  readonly #clock = new ManualClock(startMs)
  #processes = 0

  constructor(of: CrashCase, fault: PlantedFault) {
    this.#case = of
    this.#fault = fault
    this.disk = of.base.copy()
  }

  /** Runs the job to the end of its input or to its death; rejects with what stopped it otherwise. */
  async run(crash: Crash | null): Promise<ProcessEnd> {
    await this.#clock.advance(downMs)
    const mortal = new MortalProcess(this.#clock, crash)
    this.#processes += 1
    let store: EmbeddedStore | null = null
    const live = async (): Promise<null> => {
      store = await this.#openStore(mortal)
      await this.#case.start(this.#environment(store, mortal)).finished
      await store.close()
      return null
    }
    try {
      const death = await this.#clock.runUntil(Promise.race([live(), mortal.process.crashed]))
      return { calls: mortal.calls, crash: death, readable: readableOf(store) }
    } finally {
      mortal.process.kill('the test has its result')
    }
  }

  /** All that was not synced is lost; of the local state, which is never synced, as much as chance will have it. */
  losePower(seed: number): void {
    this.disk.loseUnsynced()
    const random = seededRandom(seed)
    for (const state of this.states.values()) state.losePower(random)
  }

  #openStore(mortal: MortalProcess): Promise<EmbeddedStore> {
    const { ignoreSync = false } = this.#fault
    const storage = new DiskStorage(this.disk, { mortal, ignoreSync })
    return EmbeddedStore.open('', {
      clock: mortal.process.clock,
      partitions,
      openStorage: () => Promise.resolve(this.#fault.storage?.(storage) ?? storage),
    })
  }

  #environment(store: EmbeddedStore, mortal: MortalProcess): JobEnvironment {
    const { clock } = mortal.process
    const stores = new Map<number, StateStore>()
    const environment: JobEnvironment = {
      ...worldOf(store, { clock, random: seededRandom(this.#processes) }),
      openState: ({ partition }) => {
        const disk = this.states.get(partition) ?? new UnsyncedStateDisk()
        this.states.set(partition, disk)
        const local = processStateStore(disk.store(mortal), mortal.process)
        const planted = this.#fault.stateStore?.(local) ?? local
        stores.set(partition, planted)
        return openTaskState(planted, clock, { maxAgeMs: changelogDeleteRetentionMs / 2 })
      },
    }
    return this.#fault.environment?.(environment, stores) ?? environment
  }
}

function readableOf(store: EmbeddedStore | null): ProcessEnd['readable'] {
  if (store === null) return null
  return new Map(store.topics.list().map(({ name, partitions: logs }) => [name, logs.map(({ end }) => end)]))
}
