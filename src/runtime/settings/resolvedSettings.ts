import { TidemarkError } from '../../core/errors.ts'
import { withoutUrlSecrets, type Secrets } from '../../core/secrets.ts'
import type { SettingSpec, SettingSpecs, SettingsOf } from '../../core/setting.ts'
import type { FrameworkSettings } from './frameworkSettings.ts'

/** One decided setting. */
export interface ResolvedSetting {
  readonly spec: SettingSpec<unknown>
  /** Decoded; undefined for an optional one that is absent. */
  readonly value: unknown
  /** `flag`, `environment RECONCILE_GROUP`, `application.properties:3`, `jobs/x.ts`, `default` or `not set`. */
  readonly origin: string
  /** Of a value that does not decode: thrown when it is asked for. */
  readonly failure?: TidemarkError
}

/** A line of `tidemark config`. */
export interface SettingEntry {
  readonly key: string
  /** As text; secrets are `***`, also those in a URL, an absent one is empty. */
  readonly value: string
  readonly origin: string
  readonly meaning: string
}

/** All settings of a run, decoded, with where each came from. */
export class ResolvedSettings<Specs extends SettingSpecs = SettingSpecs> {
  /** The framework's settings by key. */
  readonly framework: FrameworkSettings
  /** The job's own settings by key: what `context.settings` is. */
  readonly job: SettingsOf<Specs>
  /** Things to tell the user at start, such as a key that a file sets twice. */
  readonly warnings: readonly string[]
  /** What whoever writes text for others masks with. */
  readonly secrets: Secrets
  readonly #settings: ReadonlyMap<string, ResolvedSetting>

  constructor(
    settings: ReadonlyMap<string, ResolvedSetting>,
    {
      jobKeys,
      warnings,
      secrets,
    }: { readonly jobKeys: readonly string[]; readonly warnings: readonly string[]; readonly secrets: Secrets },
  ) {
    const ofJob = new Set(jobKeys)
    const values = (mine: boolean): object => {
      const found = {}
      for (const [key, setting] of settings) {
        if (ofJob.has(key) !== mine) continue
        const get = (): unknown => valueOf(setting)
        Object.defineProperty(
          found,
          key,
          setting.failure === undefined ? { value: setting.value, enumerable: true } : { get },
        )
      }
      return found
    }
    // Each value was decoded by the spec of its key, which is what these types say.
    this.framework = values(false) as FrameworkSettings
    this.job = values(true) as SettingsOf<Specs>
    this.warnings = warnings
    this.secrets = secrets
    this.#settings = settings
  }

  get<Key extends keyof FrameworkSettings>(key: Key): FrameworkSettings[Key] {
    return this.framework[key]
  }

  /** The values of a connector's settings, which must have been among those that were resolved. */
  of<Own extends SettingSpecs>(specs: Own): SettingsOf<Own> {
    const values = Object.entries(specs).map(([key, spec]) => {
      const found = this.#settings.get(key)
      if (found?.spec === spec) return [key, valueOf(found)] as const
      throw new TidemarkError('broken-invariant', `The setting ${key} was not resolved`)
    })
    // Each value was decoded by the spec of its key.
    return Object.fromEntries(values) as SettingsOf<Own>
  }

  /** Throws `invalid-setting` for a value that does not decode. */
  isSet(key: string): boolean {
    const found = this.#settings.get(key)
    return found !== undefined && valueOf(found) !== undefined
  }

  /** Where a setting came from; `not set` for one that is unknown or absent. */
  origin(key: string): string {
    return this.#settings.get(key)?.origin ?? 'not set'
  }

  /** All settings, the framework's first, for people to read. Throws `invalid-setting` where one does not decode. */
  entries(): readonly SettingEntry[] {
    return [...this.#settings].map(([key, setting]) => {
      const { spec, origin } = setting
      const value = valueOf(setting)
      return {
        key,
        value: value === undefined ? '' : spec.secret ? '***' : withoutUrlSecrets(spec.encode(value)),
        origin,
        meaning: spec.meaning,
      }
    })
  }
}

function valueOf({ value, failure }: ResolvedSetting): unknown {
  if (failure !== undefined) throw failure
  return value
}
