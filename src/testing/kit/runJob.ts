import type { StreamRecord } from '../../core/record.ts'
import type { SettingSpecs } from '../../core/setting.ts'
import type { Job } from '../../runtime/plan/defineJob.ts'
import type { CommitSummary } from '../world/memoryLog.ts'
import type { LogLine } from './testLogger.ts'
import { TestWorld, type ProcessEnd, type TestWorldOptions, type WorldRunOptions } from '../world/testWorld.ts'

/** What stands in a topic. */
export class TopicContent {
  /** By partition and offset. */
  readonly records: readonly StreamRecord[]

  constructor(records: readonly StreamRecord[]) {
    this.records = records
  }

  /** Values as text; null for tombstones. */
  get text(): readonly (string | null)[] {
    return this.records.map(({ raw }) => raw?.toString() ?? null)
  }

  /** Values parsed as JSON; null for tombstones. */
  get json(): readonly unknown[] {
    return this.records.map(({ raw }): unknown => (raw === null ? null : JSON.parse(raw.toString())))
  }

  /** Keys as text; null where there is none. */
  get keys(): readonly (string | null)[] {
    return this.records.map(({ key }) => key?.toString() ?? null)
  }
}

/** A dead letter, read back from wherever the job has sent it. */
export interface DeadLetterContent {
  /** The topic it stands in. */
  readonly topic: string
  readonly code: string
  readonly error: string
  readonly originalMessage: string | null
  /** `topic partition@offset` of the record that could not be processed. */
  readonly source: string
}

/** What has come of a run, with everything that runs before it in the same world have left. */
export class JobRun<Specs extends SettingSpecs = SettingSpecs> {
  readonly world: TestWorld
  /** Why processes of this run died, in order. */
  readonly crashes: readonly string[]
  readonly #job: Job<Specs>
  readonly #ends: readonly ProcessEnd[]

  constructor(world: TestWorld, job: Job<Specs>, ends: readonly ProcessEnd[]) {
    this.world = world
    this.crashes = ends.flatMap(({ crash }) => crash ?? [])
    this.#job = job
    this.#ends = ends
  }

  /** @throws `unknown-topic`. */
  topic(name: string): TopicContent {
    return new TopicContent(this.world.log.topic(name).records())
  }

  /** All records with an error code in their headers, whatever their topic. */
  get deadLetters(): readonly DeadLetterContent[] {
    const { log } = this.world
    return log.topicNames.flatMap((name) =>
      log
        .topic(name)
        .records()
        .flatMap((record) => deadLetter(name, record)),
    )
  }

  /** Every commit, in order; epoch 0 holds the start positions. */
  get commits(): readonly CommitSummary[] {
    return this.world.log.commits
  }

  /** How often `context.tally(name, …labels)` was called in epochs that this run has committed. */
  tally(name: string, ...labels: readonly string[]): number {
    const wanted = JSON.stringify([name, ...labels])
    let sum = 0
    for (const { result } of this.#ends) {
      for (const { name: tallied, labels: own, count } of result.tallies) {
        if (JSON.stringify([tallied, ...own]) === wanted) sum += count
      }
    }
    return sum
  }

  /** Input records in epochs that this run has committed. */
  get records(): number {
    return this.#ends.reduce((sum, { result }) => sum + result.records, 0)
  }

  /** Epoch attempts that failed and were replayed; what a crash cut off is not among them. */
  get aborted(): number {
    return this.#ends.reduce((sum, { result }) => sum + result.aborted, 0)
  }

  get logLines(): readonly LogLine[] {
    return this.world.logger.lines
  }

  /** Starts the job, or another version of it, again: with what stands in the test topics up to the next EOF. */
  resume(options: WorldRunOptions & { readonly job?: Job<Specs> } = {}): Promise<JobRun<Specs>> {
    return runIn(this.world, options.job ?? this.#job, options)
  }
}

/**
 * Runs a job on fixtures, in memory and under a virtual clock, exactly as it runs on an embedded or a real log: epochs,
 * commits, recovery and guards are the same code. The same options give the same run, always.
 *
 *     const run = await runJob(job, { topics: { input: ['a', 'b', ABORT, 'c'] } })
 *     expect(run.topic('output').text).toEqual(['A', 'B', 'C'])
 *
 * Lookups by `cassandraRow` read `tables`. A lookup function that waits for the machine (a timer, a file, a socket) is given
 * a real second before virtual time goes on; what else the job waits for must be on `context.clock`.
 *
 * @throws what stops the job, a guard for example; use a `TestWorld` to look at what it has left.
 */
export function runJob<Specs extends SettingSpecs>(
  job: Job<Specs>,
  options: TestWorldOptions & WorldRunOptions,
): Promise<JobRun<Specs>> {
  return runIn(new TestWorld(options), job, options)
}

async function runIn<Specs extends SettingSpecs>(
  world: TestWorld,
  job: Job<Specs>,
  options: WorldRunOptions,
): Promise<JobRun<Specs>> {
  return new JobRun(world, job, await world.run(job, options))
}

function deadLetter(topic: string, { headers, raw }: StreamRecord): DeadLetterContent[] {
  const header = (name: string): string | undefined => headers.findLast(([own]) => own === name)?.[1]?.toString()
  const code = header('error-code')
  if (code === undefined || raw === null) return []
  const parsed: unknown = JSON.parse(raw.toString())
  if (typeof parsed !== 'object' || parsed === null || !('error' in parsed) || !('originalMessage' in parsed)) return []
  const { error, originalMessage } = parsed
  const source = `${header('source-topic') ?? ''} ${header('source-partition') ?? ''}@${header('source-offset') ?? ''}`
  return [
    {
      topic,
      code,
      error: String(error),
      originalMessage: typeof originalMessage === 'string' ? originalMessage : null,
      source,
    },
  ]
}
