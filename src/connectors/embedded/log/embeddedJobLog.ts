import { decodeControlRecord, encodeControlRecord, type ControlRecord } from '../../../core/controlRecord.ts'
import { TidemarkError } from '../../../core/errors.ts'
import { changelogTopicName, writeAheadTopicName } from '../../../core/ownNames.ts'
import { defaultReadAhead, type ReadAhead } from '../../../core/pagedReader.ts'
import type { JobLog, JobLogSpec, TaskListener } from '../../../core/ports/jobLog.ts'
import type { TaskLog } from '../../../core/ports/taskLog.ts'
import { noTopicMatches, unknownTopic } from '../../../core/topicErrors.ts'
import { checkCopartitioned, selectInputs, tasksOf, topicsOfTask } from '../../../core/topicSelection.ts'
import type { EmbeddedStore } from '../store/embeddedStore.ts'
import { embeddedTaskLog } from './embeddedTaskLog.ts'
import { controlKey } from '../store/storeKeys.ts'

/** A job's membership in the embedded log: one process has all tasks, from `join` to `leave`. */
export class EmbeddedJobLog implements JobLog {
  readonly partitionCounts: ReadonlyMap<string, number>
  readonly #store: EmbeddedStore
  readonly #spec: JobLogSpec
  readonly #readAhead: ReadAhead
  #tasks: readonly TaskLog[] = []

  private constructor(
    store: EmbeddedStore,
    spec: JobLogSpec,
    partitionCounts: ReadonlyMap<string, number>,
    readAhead: ReadAhead,
  ) {
    this.#store = store
    this.#spec = spec
    this.#readAhead = readAhead
    this.partitionCounts = partitionCounts
  }

  /**
   * Resolves the inputs, and makes the outputs that the plan names and the changelog topic. Throws `unknown-topic` for an
   * input that does not exist (or a pattern that nothing matches), and `invalid-plan` when inputs that belong together
   * have different partition counts.
   */
  static async open(
    store: EmbeddedStore,
    spec: JobLogSpec,
    readAhead: ReadAhead = defaultReadAhead,
  ): Promise<EmbeddedJobLog> {
    const { topics } = store
    const changelog = changelogTopicName(spec)
    const counts = selectInputs(spec, {
      partitions: (name) => topics.find(name)?.partitions.length,
      names: topics.list().flatMap(({ name, internal }) => (internal ? [] : [name])),
      missing: (input) => (typeof input === 'string' ? unknownTopic(input) : noTopicMatches(input)),
    })
    if (spec.copartitioned) checkCopartitioned(counts)
    const log = new EmbeddedJobLog(store, spec, counts, readAhead)
    await spec.admit?.({
      partitionCounts: log.partitionCounts,
      changelogs: () => Promise.resolve(topics.find(changelog)?.partitions.length ?? 0),
      tasks: () => log.tasks(),
      control: () => log.control(),
    })
    await store.writer.write((write) => {
      for (const output of new Set(spec.outputs)) {
        if (topics.find(output) === undefined) topics.create(write, output)
      }
      topics.ensureInternal(write, changelog, tasksOf(counts))
      if (spec.follows === true) topics.ensureInternal(write, writeAheadTopicName(spec), tasksOf(counts))
    })
    return log
  }

  tasks(): readonly TaskLog[] {
    const { job, group, groupId } = this.#spec
    return Array.from({ length: tasksOf(this.partitionCounts) }, (_, partition) => {
      const topics = topicsOfTask(this.partitionCounts, partition)
      return embeddedTaskLog(this.#store, {
        task: { job, group, partition },
        groupId,
        topics,
        readAhead: this.#readAhead,
      })
    })
  }

  async control(): Promise<ControlRecord | null> {
    return this.#control(this.#stored())
  }

  async replaceControl(next: (current: ControlRecord | null) => Promise<ControlRecord>): Promise<ControlRecord> {
    const before = this.#stored()
    const record = await next(this.#control(before))
    await this.#store.writer.write((write) => {
      const now = this.#stored()
      if (before === undefined ? now !== undefined : now?.equals(before) !== true) {
        throw new TidemarkError('commit-failed', `The control record of job ${this.#spec.job} was replaced meanwhile`)
      }
      write.put(controlKey(this.#spec.job), encodeControlRecord(record))
    })
    return record
  }

  join(listener: TaskListener): Promise<void> {
    this.#tasks = this.tasks()
    for (const task of this.#tasks) listener.assigned(task)
    return Promise.resolve()
  }

  /** Tasks never move here. */
  settled(): Promise<void> {
    return Promise.resolve()
  }

  async leave(): Promise<void> {
    const tasks = this.#tasks
    this.#tasks = []
    await Promise.all(tasks.map((task) => task.close()))
  }

  #stored(): Buffer | undefined {
    return this.#store.storage.get(controlKey(this.#spec.job))
  }

  #control(stored: Buffer | undefined): ControlRecord | null {
    return stored === undefined ? null : decodeControlRecord(stored, 'the embedded store')
  }
}
