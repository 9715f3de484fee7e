import { TidemarkError } from '../errors.ts'
import type { Finding } from '../finding.ts'
import { invalidArgument, nameOf } from '../mistakes.ts'
import type { SettingSpecs, SettingsOf } from '../setting.ts'
import type { Clock } from './clock.ts'
import type { JobLogSpec } from './jobLog.ts'
import type { Logger } from './logger.ts'
import type { Port, Resource } from './port.ts'
import type { Random } from './random.ts'

/** The times of a job's epochs, which transactions must outlast. */
export interface EpochTimes {
  readonly intervalMs: number
  readonly minPauseMs: number
  /** From barrier to commit. */
  readonly timeoutMs: number
  /** The longest a record may stay in a step; 0 where none waits. */
  readonly longestWaitMs: number
}

/** What a system is opened in. */
export interface SystemEnvironment {
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  /** `data.dir`, absolute. */
  readonly dataDirectory: string
  /** Throws `invalid-setting`. */
  readonly epochTimes: () => EpochTimes
  /** The job that runs, which then has what is one job's only; null: a command, which looks or writes and is done. */
  readonly runs: string | null
  /** Reading makes no data directory where there is none. */
  readonly purpose: 'read' | 'write'
  /** Something that whoever has started the process wants to know. */
  readonly note: (line: string) => void
}

/** A job as a doctor looks at it. */
export interface ExaminedJob extends Pick<
  JobLogSpec,
  'job' | 'group' | 'groupId' | 'inputs' | 'outputs' | 'transactionalIdPrefix' | 'copartitioned'
> {
  /** Those of `outputs` that dead letters go to. */
  readonly deadLetters: readonly string[]
}

/** One thing that a system provides; made by `provided`. */
export interface Provision<Opened> {
  readonly port: Port<Resource>
  /** A client that is not connected yet. */
  open(opened: Opened): Resource
}

/** Says what stands under a port. In a test it gives a double: `provide: [provided(port, () => double)]`. */
export function provided<T extends Resource, Opened>(
  port: Port<T>,
  open: (opened: Opened) => NoInfer<T>,
): Provision<Opened> {
  return { port, open }
}

/** A system as its folder, or a job, says what it is. */
export interface SystemDefinition<Specs extends SettingSpecs, Opened> {
  /** In lower case. */
  readonly name: string
  /** For people; default: the name. */
  readonly title?: string
  /** Keys of a system that a job brings along begin with its name. */
  readonly settings?: Specs
  /**
   * Settings whose presence chooses this system for the ports that it provides; the first says where it is. A system without
   * such keys is always there, and stands in where none of the others is chosen.
   */
  readonly keys?: readonly (keyof Specs & string)[]
  /** Where it is, for the start line. */
  readonly address?: (settings: SettingsOf<Specs>) => string
  /** What everything that it provides shares, made at most once a run or command. Connects nothing. */
  open(settings: SettingsOf<Specs>, environment: SystemEnvironment): Opened
  readonly provides: readonly Provision<Opened>[]
  /**
   * Looks whether the system is as a job, or (null) any job, needs it; changes nothing. An error of kind `unreachable` is a
   * finding as well, and its message says what to do.
   */
  readonly check?: (opened: Opened, job: ExaminedJob | null) => Promise<readonly Finding[]>
}

/** Settings as a system reads them. */
export interface SettingValues {
  /** Throws `invalid-setting` for a value that does not decode. */
  of<Specs extends SettingSpecs>(specs: Specs): SettingsOf<Specs>
}

/** A system as everything that is generic over them sees it. */
export interface System {
  readonly name: string
  readonly title: string
  readonly settings: SettingSpecs
  readonly keys: readonly string[]
  /** What it provides. */
  readonly ports: readonly Port<Resource>[]
  address(values: SettingValues): string
  open(values: SettingValues, environment: SystemEnvironment): OpenedSystem
}

export interface OpenedSystem {
  /** A client of its own for each call, not connected yet. Throws `invalid-plan` for a port that the system does not provide. */
  provide<T extends Resource>(port: Port<T>): T
  check(job: ExaminedJob | null): Promise<readonly Finding[]>
}

/** The settings of all systems, by key. */
export function settingsOfSystems(systems: readonly System[]): SettingSpecs {
  return Object.fromEntries(systems.flatMap(({ settings }) => Object.entries(settings)))
}

/**
 * Defines a system: a folder of connectors exports one, and a job brings its own by `systems: [mySystem]`.
 *
 *     export const rates = defineSystem({
 *       name: 'rates',
 *       settings: { 'rates.url': setting(text, { meaning: 'Where rates are asked for.', example: 'http://localhost:8090' }) },
 *       open: (settings) => new RateClient(settings['rates.url']),
 *       provides: [provided(ratesPort, (client: RateClient) => client)],
 *     })
 *
 * @throws TidemarkError `invalid-argument` for a name, a key or a list that is none.
 */
export function defineSystem<const Specs extends SettingSpecs = Record<never, never>, Opened = unknown>(
  definition: SystemDefinition<Specs, Opened>,
): System {
  const { name, title = name, settings, keys = [], provides, check } = definition
  // A system that declares no settings has none: its type parameter says the same.
  const specs = settings ?? ({} as Specs)
  checkDefinition(name, Object.keys(specs), keys, provides)
  return {
    name,
    title,
    settings: specs,
    keys,
    ports: provides.map(({ port }) => port),
    address: (values) => definition.address?.(values.of(specs)) ?? name,
    open(values, environment) {
      const opened = definition.open(values.of(specs), environment)
      return {
        provide: <T extends Resource>(port: Port<T>) => openPort(provides, port, opened, title),
        check: async (job) => (await check?.(opened, job)) ?? [],
      }
    },
  }
}

function checkDefinition(name: string, settings: readonly string[], keys: readonly string[], provides: unknown): void {
  const operator = 'defineSystem'
  if (!/^[a-z][a-z0-9-]*$/.test(name)) {
    throw invalidArgument({ operator, option: 'name', example: "name: 'rates'" }, name, 'a word in lower case')
  }
  for (const key of keys) {
    if (settings.includes(key)) continue
    throw invalidArgument({ operator, option: 'keys', example: `keys: ['${name}.url']` }, key, 'keys of its settings')
  }
  if (Array.isArray(provides)) return
  const place = { operator, option: 'provides', example: 'provides: [provided(port, (client) => client)]' }
  throw invalidArgument(place, provides, 'a list of what provided has returned')
}

function openPort<T extends Resource, Opened>(
  provides: readonly Provision<Opened>[],
  port: Port<T>,
  opened: Opened,
  title: string,
): T {
  const found = provides.find((provision) => provision.port.name === port.name)
  if (found === undefined) throw new TidemarkError('invalid-plan', `${title} has nothing under the port ${port.name}`)
  // A port's name stands for its type.
  return openProvision(found, opened, title) as T
}

/** Makes what a system or a double has under a port. Throws `invalid-argument` for what is no client. */
export function openProvision<Opened>(provision: Provision<Opened>, opened: Opened, title: string): Resource {
  const made: unknown = provision.open(opened)
  if (isResource(made)) return made
  throw new TidemarkError(
    'invalid-argument',
    `${title} gives ${nameOf(made)} under the port ${provision.port.name}; it must be a client, with the methods connect and close.`,
    { details: { port: provision.port.name } },
  )
}

function isResource(made: unknown): made is Resource {
  if (typeof made !== 'object' || made === null || !('connect' in made) || !('close' in made)) return false
  return typeof made.connect === 'function' && typeof made.close === 'function'
}
