import * as E from 'fp-ts/lib/Either.js'
import { TidemarkError } from '../../core/errors.ts'
import { didYouMean, nearest } from '../../core/nearest.ts'
import { Secrets } from '../../core/secrets.ts'
import { shownValue, type SettingSpec, type SettingSpecs } from '../../core/setting.ts'
import { frameworkSettings, sharedNames } from './frameworkSettings.ts'
import { jobValueTexts, type JobValues } from './jobValues.ts'
import { learnSecrets } from './learnSecrets.ts'
import { ResolvedSettings, type ResolvedSetting } from './resolvedSettings.ts'

/** The job's share: its file as messages name it, its name there, its own settings, and what it sets. */
export interface JobSource<Specs extends SettingSpecs> extends JobValues {
  readonly path: string
  readonly name: string
  readonly specs: Specs
}

/** A properties file as it was read, with the name it has in messages. `Properties` of codecs/properties.ts fits. */
export interface SettingsFile {
  readonly name: string
  readonly properties: {
    readonly values: ReadonlyMap<string, string>
    /** The line on which each key stands, from 1 on. */
    readonly lines: ReadonlyMap<string, number>
    /** Keys that are set more than once; the last one counts. */
    readonly duplicates: readonly { readonly key: string; readonly line: number; readonly overriddenLine: number }[]
  }
}

/** Everything that may set a setting, strongest first. */
export interface SettingSources<Specs extends SettingSpecs> {
  /** Texts by key, from the command line. */
  readonly flags: ReadonlyMap<string, string>
  /** The process's environment; only known keys are looked at. */
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly file: SettingsFile | null
  /** Null: a command without a job. It then ignores keys of the file that are not the framework's. */
  readonly job: JobSource<Specs> | null
  /** The settings of the world's connectors, which the runtime does not know. Default: none. */
  readonly world?: SettingSpecs
  /** Run with `--follow`, which has another default restart strategy. Default: false. */
  readonly follow?: boolean
  /** Learns all that is secret, before anything can fail. Default: one for this call. */
  readonly secrets?: Secrets
}

interface Layer {
  readonly texts: ReadonlyMap<string, string>
  /** Where a value stands, for people: `environment RECONCILE_GROUP`. */
  readonly origin: (key: string) => string
  /** Whether a value that does not decode may be meant for another program. */
  readonly isForeign?: (key: string) => boolean
  /** Typed with the command itself: a wrong value is refused also by a command that does not use it. */
  readonly isTyped?: boolean
}

/** Before the name of a setting in the environment: nobody else uses that spelling, and it wins over the plain one. */
const ownPrefix = 'TIDEMARK_'

/** The name of a setting in the environment: `reconcile.group` is `RECONCILE_GROUP`. */
export function environmentName(key: string): string {
  return key.toUpperCase().replaceAll(/[^A-Z0-9]/g, '_')
}

/** The text of a setting in the environment and the variable it stands in. An empty variable counts as not set. */
export function fromEnvironment(
  environment: SettingSources<SettingSpecs>['environment'],
  key: string,
): { readonly name: string; readonly text: string } | null {
  for (const name of [`${ownPrefix}${environmentName(key)}`, environmentName(key)]) {
    const text = environment[name]
    if (text !== undefined && text !== '') return { name, text }
  }
  return null
}

/**
 * Decides every setting: flag > environment > properties file > job file > default.
 *
 * Without a job, a value of the environment or the file that does not decode fails the command that asks for it, and no
 * other one: `topic list` needs no restart strategy.
 *
 * Throws `unknown-setting` for a key that is not known (naming the nearest), `invalid-setting` for a value that does not
 * decode, `missing-setting` for a required one that is absent, `invalid-argument` for job keys that are misnamed or taken.
 */
export function resolveSettings<Specs extends SettingSpecs = Record<never, never>>(
  sources: SettingSources<Specs>,
): ResolvedSettings<Specs> {
  const jobSpecs: SettingSpecs = sources.job?.specs ?? {}
  const ownSpecs: SettingSpecs = { ...frameworkSettings, ...sources.world }
  checkJobKeys(jobSpecs, sources.job?.path ?? '', Object.keys(ownSpecs))
  const specs = new Map<string, SettingSpec<unknown>>([...Object.entries(ownSpecs), ...Object.entries(jobSpecs)])
  const layers = layersOf(sources, [...specs.keys()])
  const { secrets = new Secrets(), environment } = sources
  learnSecrets(secrets, { layers: layers.map(({ texts }) => texts), environment, specs })
  refuseUnknownKeys(sources, layers, [...specs.keys()])
  const { name = '', properties } = sources.file ?? {}
  const warnings = (properties?.duplicates ?? []).map(
    ({ key, line, overriddenLine }) =>
      `${name}:${String(overriddenLine)} sets ${shownKey(key, [...specs.keys()]) ?? 'something'}, and line ${String(line)} sets it again: the latter counts.`,
  )
  const resolved = new Map<string, ResolvedSetting>()
  // Defaults of the job's settings may follow from its name, so that is decided before them.
  const job = resolveOne('job.name', frameworkSettings['job.name'], layers, null, [])
  for (const [key, spec] of specs) {
    const setting = resolveOne(key, spec, layers, job.value, warnings)
    if (setting.failure !== undefined && sources.job !== null) throw setting.failure
    resolved.set(key, setting)
  }
  return new ResolvedSettings<Specs>(resolved, { jobKeys: Object.keys(jobSpecs), warnings, secrets })
}

function checkJobKeys(specs: SettingSpecs, path: string, ownKeys: readonly string[]): void {
  const refuse = (key: string, why: string): never => {
    throw new TidemarkError('invalid-argument', `The setting '${key}' of ${path} ${why}.`, {
      details: { setting: key },
    })
  }
  const taken = new Map(ownKeys.map((key) => [environmentName(key), key]))
  for (const key of Object.keys(specs)) {
    if (!/^[a-z][a-z0-9-]*(\.[a-z0-9][a-z0-9-]*)+$/.test(key)) {
      refuse(key, 'needs a name of at least two words in lower case with dots between, such as orders.topic')
    }
    if (key.startsWith('tidemark.')) {
      refuse(
        key,
        `begins with tidemark., and ${ownPrefix} stands before Tidemark's own names in the environment; choose another name`,
      )
    }
    const other = taken.get(environmentName(key))
    if (other === key) refuse(key, 'is a setting of Tidemark itself; choose another name')
    if (other !== undefined) refuse(key, `has the same name in the environment as ${other}; choose another name`)
    taken.set(environmentName(key), key)
  }
}

function layersOf(sources: SettingSources<SettingSpecs>, keys: readonly string[]): readonly Layer[] {
  const environment = new Map<string, string>()
  const names = new Map<string, string>()
  for (const key of keys) {
    const found = fromEnvironment(sources.environment, key)
    if (found === null) continue
    environment.set(key, found.text)
    names.set(key, found.name)
  }
  const { file, job } = sources
  return [
    { texts: sources.flags, origin: () => 'flag', isTyped: true },
    {
      texts: environment,
      origin: (key) => `environment ${names.get(key) ?? environmentName(key)}`,
      isForeign: (key) => sharedNames.has(key) && names.get(key) === environmentName(key),
    },
    {
      texts: file?.properties.values ?? new Map(),
      origin: (key) => `${file?.name ?? ''}:${String(file?.properties.lines.get(key) ?? 0)}`,
    },
    {
      texts: job === null ? new Map() : new Map([['job.name', job.name], ...jobValueTexts(job)]),
      origin: () => job?.path ?? '',
    },
    {
      texts: new Map(sources.follow === true ? [['restart.strategy', 'exponential-delay']] : []),
      origin: () => 'default with --follow',
    },
  ]
}

function refuseUnknownKeys(
  sources: SettingSources<SettingSpecs>,
  layers: readonly Layer[],
  known: readonly string[],
): void {
  const names = new Set(known)
  for (const layer of layers) {
    // A file may serve several commands; without a job nobody can tell which of its keys are a job's.
    if (sources.job === null && layer.texts === sources.file?.properties.values) continue
    for (const key of layer.texts.keys()) {
      if (names.has(key)) continue
      const place = layer.origin(key)
      const hint = didYouMean(key, known, 'tidemark config prints the known ones.')
      const shown = shownKey(key, known)
      const what = shown === null ? 'Something that is no setting' : `Unknown setting ${JSON.stringify(shown)}`
      throw new TidemarkError('unknown-setting', `${what} (${place}). ${hint}`, {
        details: { ...(shown === null ? {} : { setting: shown }), place },
      })
    }
  }
}

/**
 * A key as an error may quote it: one that is near to a known one, or is written as keys are. A line of a file that belongs to
 * the value before it is taken for a key as well, and may be a password.
 */
function shownKey(key: string, known: readonly string[]): string | null {
  const isKey = /^[a-z][a-z0-9-]*(\.[a-z0-9][a-z0-9-]*)+$/.test(key) && key.length <= 100
  return isKey || nearest(key, known) !== null ? key : null
}

function resolveOne(
  key: string,
  spec: SettingSpec<unknown>,
  layers: readonly Layer[],
  job: unknown,
  warnings: string[],
): ResolvedSetting {
  for (const [i, layer] of layers.entries()) {
    const text = layer.texts.get(key)
    if (text === undefined) continue
    const place = layer.origin(key)
    const decoded = spec.decode(text)
    if (E.isRight(decoded)) return { spec, value: decoded.right, origin: place }
    const shown = spec.secret ? null : shownValue(text)
    const failure = new TidemarkError(
      'invalid-setting',
      `${key} ${shown === null ? 'has a value that it cannot have' : `is ${shown}`} (${place}): expected ${wanted(spec, text, decoded.left)}. Example: ${key}=${spec.example}`,
      { details: { setting: key, place } },
    )
    if (layer.isForeign?.(key) === true) {
      const setting = resolveOne(key, spec, layers.slice(i + 1), job, warnings)
      warnings.push(
        `${failure.message} It is taken for another program's, and ${key} is ${setting.value === undefined ? 'not set' : spec.encode(setting.value)} (${setting.origin}); ${ownPrefix}${environmentName(key)} is read by Tidemark alone.`,
      )
      return setting
    }
    if (layer.isTyped === true) throw failure
    return { spec, value: undefined, origin: place, failure }
  }
  if (spec.default !== null) return { spec, value: spec.default.value, origin: 'default' }
  if (spec.defaultFor !== null && typeof job === 'string') {
    return { spec, value: spec.defaultFor(job), origin: 'default' }
  }
  if (spec.optional) return { spec, value: undefined, origin: 'not set' }
  throw new TidemarkError(
    'missing-setting',
    `${key} is not set, and the job needs it: ${spec.meaning} Set it in application.properties (${key}=${spec.example}), as ${environmentName(key)} in the environment, or as --${key}=${spec.example}`,
    { details: { setting: key } },
  )
}

/** What a codec says is wrong, unless it quotes the value: a job's own may. */
function wanted(spec: SettingSpec<unknown>, text: string, expected: string): string {
  if (spec.secret) return spec.expected
  const pieces = text.split(/[\s,;@/?&=]+/).filter((piece) => piece.length > 3 && !spec.expected.includes(piece))
  return pieces.some((piece) => expected.includes(piece)) ? spec.expected : expected
}
