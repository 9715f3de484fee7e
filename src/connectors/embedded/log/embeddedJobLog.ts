import { decodeControlRecord, encodeControlRecord, type ControlRecord } from '../../../core/controlRecord.ts'
import { TidemarkError } from '../../../core/errors.ts'
import type { JobLog, JobLogSpec, TaskListener, TopicSelection } from '../../../core/ports/jobLog.ts'
import type { EmbeddedStore } from '../store/embeddedStore.ts'
import { EmbeddedTaskLog, changelogTopic } from './embeddedTaskLog.ts'
import type { ReadAhead } from './embeddedTaskReader.ts'
import { controlKey } from '../store/storeKeys.ts'
import { unknownTopic, type Topic } from '../store/topic.ts'
import type { TopicCatalog } from '../store/topicCatalog.ts'

export interface EmbeddedJobLogOptions {
  readonly readAhead?: Partial<ReadAhead>
}

/** A job's membership in the embedded log: one process has all tasks, from `join` to `leave`. */
export class EmbeddedJobLog implements JobLog {
  readonly partitionCounts: ReadonlyMap<string, number>
  readonly #store: EmbeddedStore
  readonly #spec: JobLogSpec
  readonly #options: EmbeddedJobLogOptions
  #tasks: readonly EmbeddedTaskLog[] = []

  private constructor(
    store: EmbeddedStore,
    spec: JobLogSpec,
    inputs: readonly Topic[],
    options: EmbeddedJobLogOptions,
  ) {
    this.#store = store
    this.#spec = spec
    this.#options = options
    this.partitionCounts = new Map(inputs.map(({ name, partitions }) => [name, partitions.length]))
  }

  /**
   * Resolves the inputs, and makes the outputs that the plan names and the changelog topic. Throws `unknown-topic` for an
   * input that does not exist (or a pattern that nothing matches), and `invalid-plan` when inputs that belong together
   * have different partition counts.
   */
  static async open(
    store: EmbeddedStore,
    spec: JobLogSpec,
    options: EmbeddedJobLogOptions = {},
  ): Promise<EmbeddedJobLog> {
    const inputs = resolveInputs(store.topics, spec.inputs)
    const counts = inputs.map(({ partitions }) => partitions.length)
    if (spec.copartitioned && new Set(counts).size > 1) throw unequalCounts(inputs)
    const log = new EmbeddedJobLog(store, spec, inputs, options)
    await spec.admit?.({
      partitionCounts: log.partitionCounts,
      changelogs: () => Promise.resolve(store.topics.find(changelogTopic(spec))?.partitions.length ?? 0),
      tasks: () => log.tasks(),
      control: () => log.control(),
    })
    await store.writer.write((write) => {
      for (const output of new Set(spec.outputs)) {
        if (store.topics.find(output) === undefined) store.topics.create(write, output)
      }
      store.topics.ensureInternal(write, changelogTopic(spec), Math.max(...counts))
    })
    return log
  }

  tasks(): readonly EmbeddedTaskLog[] {
    const { job, group, groupId } = this.#spec
    const tasks = Math.max(...this.partitionCounts.values())
    return Array.from({ length: tasks }, (_, partition) => {
      const topics = [...this.partitionCounts].flatMap(([topic, count]) => (partition < count ? [topic] : []))
      return new EmbeddedTaskLog(this.#store, { task: { job, group, partition }, groupId, topics, ...this.#options })
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

function resolveInputs(topics: TopicCatalog, selections: readonly TopicSelection[]): readonly Topic[] {
  const found = new Map<string, Topic>()
  for (const selection of selections) {
    for (const topic of resolve(topics, selection)) found.set(topic.name, topic)
  }
  return [...found.values()]
}

function resolve(topics: TopicCatalog, selection: TopicSelection): readonly Topic[] {
  if (selection.kind === 'topics') return selection.topics.map((name) => topics.get(name))
  // A pattern with the flag g or y would remember where it stopped.
  const pattern = new RegExp(selection.pattern.source, selection.pattern.flags.replaceAll(/[gy]/g, ''))
  const matching = topics.list().filter(({ name, internal }) => !internal && pattern.test(name))
  if (matching.length === 0) throw unknownTopic(String(selection.pattern))
  return matching
}

function unequalCounts(inputs: readonly Topic[]): TidemarkError {
  const counts = inputs.map(({ name, partitions }) => `${name} ${String(partitions.length)}`).join(', ')
  return new TidemarkError(
    'invalid-plan',
    `Several sources, or state, need topics with equal partition counts, and these have: ${counts}. Make the topics anew with equal counts`,
  )
}
