import path from 'node:path'
import type { Clock } from '../core/ports/clock.ts'
import type { Logger } from '../core/ports/logger.ts'
import type { OpenedJobLog, ProcessDirectory } from '../core/ports/jobLogs.ts'
import type { Random } from '../core/ports/random.ts'
import type { TaskId } from '../core/ports/task.ts'
import type { TaskState } from '../core/ports/taskState.ts'
import { fileFailure } from '../files/fileFailure.ts'
import { makeLevelDirectory, makeOwnDirectory } from '../files/makeOwnDirectory.ts'
import { openDataDirectory } from '../files/openDataDirectory.ts'
import { LevelStateStore } from './levelStateStore.ts'
import { MemoryStateStore } from './memoryStateStore.ts'
import { slotInstanceId, takeSlot, type Slot } from './slot.ts'
import type { StateStore } from './stateStore.ts'
import { openTaskState } from './taskState.ts'

export interface LocalStoresOptions {
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  /** `data.dir`, absolute. */
  readonly dataDirectory: string
  readonly stateBackend: 'file:' | 'memory:'
  /** `state.slot`; null: the first free one. */
  readonly slot: number | null
}

/** A log that one process holds has all tasks in it, so its stores stand in the first slot. */
const onlySlot = '0'

/**
 * The local state of a job's tasks in this process, under `data.dir/<place of the log>/<job>/<slot>/<task>`. Where processes
 * share the log, the slot is taken before they join, because a process is known again by it.
 */
export class LocalStores {
  readonly #options: LocalStoresOptions
  readonly #stores = new Map<number, StateStore>()
  #slot: Promise<Slot> | null = null

  constructor(options: LocalStoresOptions) {
    this.#options = options
  }

  /** The directory of this process in a shared log. Rejects with `directory-in-use`, or where nothing can be written. */
  async directory(place: string, job: string): Promise<ProcessDirectory> {
    const { directory, number } = await this.#take(place, job)
    return { number, lastingId: () => slotInstanceId(directory, this.#options.random) }
  }

  /** How far the store of each task is, by changelog offset. */
  positions(): ReadonlyMap<number, number> {
    return new Map(
      [...this.#stores].flatMap(([task, { position }]) => (position === null ? [] : [[task, position.changelogEnd]])),
    )
  }

  async open(task: TaskId, { place, shared, changelogRetentionMs }: Omit<OpenedJobLog, 'log'>): Promise<TaskState> {
    const { clock, log, stateBackend } = this.#options
    const store =
      stateBackend === 'memory:'
        ? new MemoryStateStore()
        : new LevelStateStore(await this.#storeDirectory(task, place, shared), { log })
    this.#stores.set(task.partition, store)
    return openTaskState(store, clock, { maxAgeMs: changelogRetentionMs / 2 })
  }

  /** Gives the slot back. */
  async close(): Promise<void> {
    // A slot that could not be had has failed the run already.
    const held = await this.#slot?.catch(() => null)
    await held?.close()
  }

  async #storeDirectory({ job, group, partition }: TaskId, place: string, shared: boolean): Promise<string> {
    const name = `${group}-${String(partition)}`
    if (shared) return (await this.#take(place, job)).storeDirectory(name)
    const { dataDirectory } = this.#options
    const names = [place, job, onlySlot, name]
    try {
      return await makeLevelDirectory(dataDirectory, names)
    } catch (error) {
      const directory = path.join(dataDirectory, ...names)
      throw fileFailure(error, `The state directory ${directory} cannot be made`, { directory })
    }
  }

  #take(place: string, job: string): Promise<Slot> {
    const { dataDirectory, log, slot } = this.#options
    this.#slot ??= openDataDirectory(dataDirectory, { purpose: 'write', note: (line) => log.info(line) })
      .then((directory) => makeOwnDirectory(directory, [place, job]))
      .then((made) => takeSlot(made.path, slot))
    return this.#slot
  }
}
