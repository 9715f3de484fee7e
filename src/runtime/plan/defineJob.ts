import type { Observable } from 'rxjs'
import type { PipelineContext } from '../../core/context.ts'
import { TidemarkError } from '../../core/errors.ts'
import { invalidArgument } from '../../core/mistakes.ts'
import { isJobName, jobNameRule } from '../../core/settingCodecs.ts'
import type { Port, Resource } from '../../core/ports/port.ts'
import type { System } from '../../core/ports/system.ts'
import type { SettingSpecs, SettingsOf } from '../../core/setting.ts'
import type { StreamRecord } from '../../core/record.ts'
import type { RestartPolicy } from '../task/restart.ts'

/** What `pipeline` returns: one Observable, or several in the order in which they complete. */
export type Pipelines = Observable<unknown> | readonly Observable<unknown>[]

/** Options of the run command that concern the sample. */
export interface SampleOptions {
  /** Generate about this many messages instead of the bundled ones; null: the bundled sample. */
  readonly records: number | null
}

/** One record of a sample. */
export interface SampleRecord {
  readonly key: string | Buffer | null
  readonly value: string | Buffer | null
  readonly timestamp: number
  readonly partition?: number
}

/** Topics and tables that are loaded in one atomic batch. Iterables are consumed once. */
export interface Sample {
  readonly topics: Readonly<Record<string, Iterable<SampleRecord>>>
  /** Table definitions with rows, as `tidemark table load` reads them. */
  readonly tables: readonly unknown[]
}

/** How a text may look on a terminal. */
export type TextStyle = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan' | 'magenta'

/** How many times an event was counted by `context.tally`, in committed epochs only. */
export interface Tally {
  readonly name: string
  readonly labels: readonly string[]
  readonly count: number
}

/** A committed output, kept as an example. */
export interface OutputExample {
  readonly topic: string
  readonly key: string | null
  readonly value: string | null
}

/** What a finished run hands to the job's `summary`. */
export interface SummaryInput<Settings> {
  readonly settings: Settings
  readonly world: string
  readonly tallies: readonly Tally[]
  /** Input records committed by this run. */
  readonly records: number
  readonly durationMs: number
  /** When the run ended, ms since 1970. */
  readonly endedAtMs: number
  /** The first committed records of the topics that the job writes, to choose examples from. */
  readonly outputs: readonly OutputExample[]
  /** Colours a text where the terminal takes colours; colours that lines have otherwise are printed as escapes. */
  style(format: TextStyle, text: string): string
}

/** A job's own words about a run: lines for the terminal, and a self-contained page for `<data.dir>/report.html`. */
export interface JobSummary {
  readonly lines: readonly string[]
  readonly reportHtml: string | null
}

/** A titled block of text, printed by `tidemark explain`. */
export interface ExplanationBlock {
  readonly title: string
  readonly text: string
}

/** What a job's own `explain` works with. */
export interface ExplainInput<Settings> {
  readonly record: StreamRecord
  readonly settings: Settings
  /** A connected client of the job's world. */
  open<T extends Resource>(port: Port<T>): T
  /** Colours a text where the terminal takes colours. */
  style(format: TextStyle, text: string): string
}

export interface JobDefinition<Specs extends SettingSpecs = SettingSpecs> {
  /**
   * The job's name where it is deployed without another one (setting `job.name`): topics, transactional ids, state
   * directories and logs derive from it. Letters, digits, `.`, `_`, `-`.
   */
  readonly name: string
  /** The job's own settings, by key; each has a codec, a default, a meaning and an example. */
  readonly settings?: Specs
  /** Systems of its own: ports that its pipeline opens, with their settings. A test gives doubles for them. */
  readonly systems?: readonly System[]
  /** The job file's own values for any known setting, below flags, environment and properties file. */
  readonly values?: Readonly<Record<string, string>>
  /** The same for checkpoints, in the words of the seeds: 30,000 / 15,000 / 60,000 ms. */
  readonly checkpoint?: { readonly intervalMs?: number; readonly minPauseMs?: number; readonly timeoutMs?: number }
  /** What follows a failed epoch; default by settings: `restart.*`. */
  readonly restart?: RestartPolicy
  /** Builds the pipeline; called once to plan and then for every epoch attempt. */
  pipeline(context: PipelineContext<SettingsOf<Specs>>): Pipelines
  /** What an embedded directory without data is filled with by `tidemark run`, in one atomic batch. */
  sample?(options: SampleOptions, settings: SettingsOf<Specs>): Sample
  /** What a person wants to see at the end of a bounded run. */
  summary?(input: SummaryInput<SettingsOf<Specs>>): JobSummary
  /** What `tidemark explain` prints of one input record, besides what every job's says: the message and its outputs. */
  explain?(input: ExplainInput<SettingsOf<Specs>>): Promise<readonly ExplanationBlock[]>
}

const jobMark: unique symbol = Symbol.for('tidemark.job')

/** A checked job definition; what a job file exports by default. */
export interface Job<Specs extends SettingSpecs = SettingSpecs> extends JobDefinition<Specs> {
  readonly [jobMark]: true
}

/**
 * Defines a job. Nothing is read or connected: `tidemark run <file>` runs it, and so does the file itself where it ends with
 * `if (import.meta.main) await runMain(job)`.
 *
 * @throws TidemarkError `invalid-argument` for a name that cannot be used in paths and transactional ids, and for systems that
 * are none, share a name, or have settings that are not theirs.
 */
export function defineJob<const Specs extends SettingSpecs = Record<never, never>>(
  definition: JobDefinition<Specs>,
): Job<Specs> {
  if (!isJobName(definition.name)) {
    throw new TidemarkError(
      'invalid-argument',
      `defineJob: name ${JSON.stringify(definition.name)} must be ${jobNameRule}, for example 'reconcile'`,
    )
  }
  checkSystems(definition.systems ?? [], Object.keys(definition.settings ?? {}))
  return { ...definition, [jobMark]: true }
}

function checkSystems(systems: readonly System[], settings: readonly string[]): void {
  // A job in JavaScript may give anything.
  const given: unknown = systems
  if (!Array.isArray(given) || !given.every(isSystem)) {
    const place = { operator: 'defineJob', option: 'systems', example: 'systems: [rates]' }
    throw invalidArgument(place, given, 'a list of what defineSystem has returned')
  }
  const names = systems.map(({ name }) => name)
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  if (twice !== undefined) {
    throw new TidemarkError('invalid-argument', `defineJob: two systems are named '${twice}'; rename one of them`)
  }
  for (const { name, settings: specs } of systems) {
    for (const key of Object.keys(specs)) {
      const why = settings.includes(key)
        ? 'is one of the job, too'
        : key.startsWith(`${name}.`)
          ? null
          : `must begin with ${name}.`
      if (why === null) continue
      throw new TidemarkError('invalid-argument', `defineJob: the setting '${key}' of the system ${name} ${why}`)
    }
  }
}

function isSystem(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'ports' in value
}

/** True for what `defineJob` has returned, also when it came from another copy of the package. */
export function isJob(value: unknown): value is Job {
  return typeof value === 'object' && value !== null && jobMark in value
}
