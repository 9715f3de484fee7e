import { worldSettings } from '../composition.ts'
import type { Limits } from '../core/context.ts'
import type { Secrets } from '../core/secrets.ts'
import type { SettingSpecs } from '../core/setting.ts'
import { TidemarkError } from '../core/errors.ts'
import type { Job } from '../runtime/plan/defineJob.ts'
import { resolveSettings } from '../runtime/settings/resolve.ts'
import type { ResolvedSettings } from '../runtime/settings/resolvedSettings.ts'
import type { CliIo } from './cliIo.ts'
import type { ExitCode } from './output/errorText.ts'
import { loadJob, type LoadedJob } from './loadJob.ts'
import type { Printer } from './output/printer.ts'
import { readSettingsFile } from './readSettingsFile.ts'

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
  /** Settings given as flags, by key. */
  readonly flags: ReadonlyMap<string, string>
  /** The job when the job file itself is the program; else null, and the file is imported. */
  readonly program: LoadedJob | null
  /** The exit code of a command that ends without an error. */
  exit(code: ExitCode): void
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
  return resolveSettings({
    flags: withDataDir(context.flags, options.dataDir),
    environment: context.io.environment,
    file: readSettingsFile(options.config ?? null, context.io.directory),
    job: loaded === null ? null : jobSource(loaded),
    world: worldSettings,
    follow,
    secrets: context.secrets,
  })
}

/**
 * Learns the secrets of flags, environment and properties file before a job is loaded: what its file throws is printed too.
 * What is wrong with them is told when they are asked for.
 */
export function learnSecretsEarly(context: CommandContext, config: string | null): void {
  const { io, flags, secrets } = context
  for (const file of [() => readSettingsFile(config, io.directory), () => null]) {
    try {
      resolveSettings({ flags, environment: io.environment, file: file(), job: null, world: worldSettings, secrets })
      return
    } catch {
      // A file that cannot be read has no secrets; the next turn is without it.
    }
  }
}

/** `--data-dir` is another spelling of `--data.dir`. */
export function withDataDir(
  flags: ReadonlyMap<string, string>,
  dataDir: string | undefined,
): ReadonlyMap<string, string> {
  if (dataDir === undefined) return flags
  if (flags.has('data.dir')) {
    throw new TidemarkError('invalid-setting', '--data-dir and --data.dir are the same setting: give one of them.')
  }
  return new Map([...flags, ['data.dir', dataDir]])
}

/** The limits that operators share, from the settings. */
export function limitsOf(settings: ResolvedSettings): Limits {
  return { epochBytes: settings.get('checkpoint.max.bytes'), jsonMaxDepth: settings.get('json.max.depth') }
}

function jobSource({ path, job }: { readonly path: string; readonly job: Job }) {
  const { checkpoint, restart, values } = job
  const specs: SettingSpecs = job.settings ?? {}
  return {
    path,
    name: job.name,
    specs,
    ...(checkpoint === undefined ? {} : { checkpoint }),
    ...(restart === undefined ? {} : { restart }),
    ...(values === undefined ? {} : { values }),
  }
}
