import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { InvalidArgumentError, type Command } from 'commander'
import * as E from 'fp-ts/lib/Either.js'
import type { Type } from 'io-ts'
import { parseProperties } from '../codecs/properties.ts'
import { silentLogger, type Logger } from '../core/ports/logger.ts'
import { systemRandom } from '../core/ports/random.ts'
import { settingsOfSystems, type System } from '../core/ports/system.ts'
import type { Secrets } from '../core/secrets.ts'
import type { SettingSpecs } from '../core/setting.ts'
import { shownPath, unreadableSettings } from '../core/settingFile.ts'
import { TidemarkError } from '../core/errors.ts'
import { planJob, type Plan, type PlanEnvironment } from '../runtime/plan/plan.ts'
import { runnableJob } from '../runtime/plan/runnableJob.ts'
import { createLogger } from '../runtime/job/logger.ts'
import { limitsOf } from '../runtime/job/runOptions.ts'
import { resolveSettings, type SettingsFile } from '../runtime/settings/resolve.ts'
import type { ResolvedSettings } from '../runtime/settings/resolvedSettings.ts'
import type { CliIo } from './cliIo.ts'
import type { ExitCode } from './output/errorText.ts'
import { loadJob, type LoadedJob } from './loadJob.ts'
import type { Printer } from './output/printer.ts'

/** The options that every command takes besides settings. */
export interface CommonOptions {
  readonly dataDir?: string
  readonly config?: string
}

/** What a command works with. */
export interface CommandContext {
  readonly io: CliIo
  readonly out: Printer
  readonly err: Printer
  /** Of this process; both printers mask them. */
  readonly secrets: Secrets
  /** Every system but those that a job brings along. */
  readonly systems: readonly System[]
  /** Settings given as flags, by key. */
  readonly flags: ReadonlyMap<string, string>
  /** The job when the job file itself is the program; else null, and the file is imported. */
  readonly program: LoadedJob | null
  /** The exit code of a command that ends without an error. */
  exit(code: ExitCode): void
}

/** Adds the options that every command takes, and the line about settings. */
export function withCommonOptions(command: Command): Command {
  return command
    .option('--data-dir <dir>', 'data directory; the same as --data.dir (default: .tidemark)')
    .option('--config <file>', 'properties file to read instead of application.properties')
    .addHelpText('after', '\nAny setting can be given too, as --<key>=<value>; `tidemark config` lists them.')
}

/** A codec of a setting as the parser of a command-line option; commander prints what was expected. */
export function optionValue<A>(codec: Type<A, string, string>): (text: string) => A {
  return (text) => {
    const decoded = codec.decode(text)
    if (E.isRight(decoded)) return decoded.right
    throw new InvalidArgumentError(`Expected ${decoded.left[0]?.message ?? codec.name}.`)
  }
}

/** A job as a command works on it. */
export interface CommandJob {
  readonly loaded: LoadedJob
  readonly settings: ResolvedSettings
  readonly plan: Plan
}

/** The job of a command with its settings and its plan. Throws `invalid-plan` or an operator's `invalid-argument`. */
export async function commandJob(
  context: CommandContext,
  options: CommonOptions,
  file: string,
  follow = false,
): Promise<CommandJob> {
  const loaded = await jobOf(context, file)
  const settings = settingsOf(context, options, loaded, follow)
  const plan = planJob(runnableJob(loaded.job, settings), quietEnvironment(context, settings))
  return { loaded, settings, plan }
}

/** What a pipeline stands in where nothing is committed. */
export function quietEnvironment({ io }: CommandContext, settings: ResolvedSettings): PlanEnvironment {
  return { clock: io.clock, random: systemRandom, log: silentLogger, limits: limitsOf(settings) }
}

/** The job of a command: the one that is the program, or the file's. */
export async function jobOf(context: CommandContext, file: string): Promise<LoadedJob> {
  return context.program ?? (await loadJob(file, context.io.directory))
}

/** The settings of a command, with a job or without. */
export function settingsOf(
  context: CommandContext,
  options: CommonOptions,
  loaded: LoadedJob | null,
  follow = false,
): ResolvedSettings {
  const { job, path } = loaded ?? { job: null, path: '' }
  const specs = { ...job?.settings, ...settingsOfSystems(job?.systems ?? []) }
  return resolveSettings<SettingSpecs>({
    flags: withDataDir(context.flags, options.dataDir),
    environment: context.io.environment,
    file: readSettingsFile(options.config ?? null, context.io.directory),
    job: job === null ? null : { ...job, path, specs },
    world: settingsOfSystems(context.systems),
    follow,
    secrets: context.secrets,
  })
}

/**
 * Learns the secrets of flags, environment and properties file before a job is loaded: what its file throws is printed too.
 * What is wrong with them is told when they are asked for.
 */
export function learnSecretsEarly(context: CommandContext, config: string | null): void {
  const { io, flags, secrets, systems } = context
  const world = settingsOfSystems(systems)
  tryWithFile(context, config, (file) =>
    resolveSettings({ flags, environment: io.environment, file, job: null, world, secrets }),
  )
}

/** Acts with the properties file where that goes, or else without one; null where neither does. */
export function tryWithFile<T>(
  { io }: CommandContext,
  config: string | null,
  act: (file: SettingsFile | null) => T,
): T | null {
  for (const read of [readSettingsFile, () => null]) {
    try {
      return act(read(config, io.directory))
    } catch {
      // The next turn is with less. What is wrong the command tells.
    }
  }
  return null
}

const settingsFileName = 'application.properties'

/**
 * Reads `configPath`, or `application.properties` in `directory`, where null means that there is none. Throws
 * `invalid-setting` for a `configPath` that cannot be read.
 */
export function readSettingsFile(configPath: string | null, directory: string): SettingsFile | null {
  const name = configPath ?? settingsFileName
  try {
    return { name, properties: parseProperties(readFileSync(resolve(directory, name), 'utf8')) }
  } catch (error) {
    if (configPath === null && (error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw unreadableSettings(`The settings file ${shownPath(name)}`, error, { path: shownPath(name) })
  }
}

/** `--data-dir` is another spelling of `--data.dir`. */
function withDataDir(flags: ReadonlyMap<string, string>, dataDir: string | undefined): ReadonlyMap<string, string> {
  if (dataDir === undefined) return flags
  if (flags.has('data.dir')) {
    throw new TidemarkError('invalid-setting', '--data-dir and --data.dir are the same setting: give one of them.')
  }
  return new Map([...flags, ['data.dir', dataDir]])
}

/** The log of a command, which goes to where errors go. */
export function ownLogger(io: CliIo, settings: ResolvedSettings): Logger {
  const log = createLogger({
    level: settings.get('log.level'),
    format: settings.get('log.format'),
    stream: io.stderr,
    secrets: settings.secrets,
    clock: io.clock,
  })
  return io.worker === null ? log : log.with({ worker: io.worker.index + 1 })
}
