import * as E from 'fp-ts/lib/Either.js'
import { TidemarkError } from '../../../core/errors.ts'
import { didYouMean } from '../../../core/nearest.ts'
import { setting, shownValue, type SettingSpec, type SettingsOf } from '../../../core/setting.ts'
import { hostPorts, text } from '../../../core/settingCodecs.ts'
import { cassandraSettings } from './cassandraSettings.ts'

/** Settings leave the place out for the embedded tables; options do not. */
const placeSettings = {
  'cassandra.contact.points': setting(hostPorts(9042), {
    meaning: 'Nodes to connect to first.',
    example: 'localhost:9042',
  }),
  'cassandra.local.datacenter': setting(text, { meaning: 'Datacenter whose nodes are used.', example: 'datacenter1' }),
} as const

const specs = { ...cassandraSettings, ...placeSettings } as const

/** Each option with its form in a properties file. */
export const settingOfOption = {
  contactPoints: 'cassandra.contact.points',
  localDatacenter: 'cassandra.local.datacenter',
  username: 'cassandra.username',
  password: 'cassandra.password',
  tls: 'cassandra.tls',
  tlsCa: 'cassandra.tls.ca',
  tlsCert: 'cassandra.tls.cert',
  tlsKey: 'cassandra.tls.key',
  tlsKeyPassword: 'cassandra.tls.key.password',
  tlsVerifyHostname: 'cassandra.tls.verify.hostname',
  connectTimeoutMs: 'cassandra.connect.timeout.ms',
  requestTimeoutMs: 'cassandra.request.timeout.ms',
  reconnectDelayMs: 'cassandra.reconnect.delay.ms',
  reconnectMaxDelayMs: 'cassandra.reconnect.max.delay.ms',
  consistency: 'cassandra.consistency',
  executionProfile: 'cassandra.execution.profile',
  driverSettingsFile: 'cassandra.driver.settings.file',
  maxInFlight: 'cassandra.max.in.flight',
  maxTables: 'cassandra.max.tables',
} as const

type Option = keyof typeof settingOfOption

/** Each option has the type of its setting. */
type Decoded = { readonly [Name in Option]: SettingsOf<typeof specs>[(typeof settingOfOption)[Name]] }

/** How to reach Cassandra and how to speak to it, complete and checked; `cassandraSettings` says what each option is. */
export interface CassandraConfig extends Omit<Decoded, 'tls'> {
  readonly tls: boolean
}

type Optional<T> = { readonly [Key in keyof T]?: T[Key] | undefined }

/** The one options object: addresses and datacenter, and whatever is not to be as the defaults of the settings are. */
export type CassandraOptions = Pick<CassandraConfig, 'contactPoints' | 'localDatacenter'> & Optional<CassandraConfig>

/** The file form: the options that decoded settings say. */
export function cassandraOptionsOf(settings: SettingsOf<typeof cassandraSettings>): CassandraOptions {
  const values = Object.entries(settingOfOption).map(([option, key]) => [option, settings[key]] as const)
  return Object.fromEntries(values) as unknown as CassandraOptions
}

/**
 * Checks and completes the options. Throws `unknown-setting` for an option that there is not, naming the nearest one,
 * `missing-setting`, and `invalid-setting` for a value that cannot be or contradicts another one. No message holds a secret.
 */
export function cassandraConfig(options: CassandraOptions): CassandraConfig {
  const known = Object.keys(settingOfOption)
  for (const option of Object.keys(options)) {
    if (known.includes(option)) continue
    const hint = didYouMean(option, known, `The options are ${known.join(', ')}.`)
    throw new TidemarkError('unknown-setting', `There is no option ${JSON.stringify(option)} for Cassandra. ${hint}`, {
      details: { setting: option },
    })
  }
  const given: Readonly<Record<string, unknown>> = options
  const values = known.map((option) => [option, checked(option as Option, given[option])] as const)
  // Decoded by the spec of its setting, or that spec's default.
  const config = Object.fromEntries(values) as unknown as Decoded
  const { tls = config.tlsCa !== undefined || config.tlsCert !== undefined } = config
  checkTogether({ ...config, tls })
  return { ...config, tls }
}

function checked(option: Option, value: unknown): unknown {
  const key = settingOfOption[option]
  const spec: SettingSpec<unknown> = specs[key]
  if (value === undefined) {
    if (spec.default !== null) return spec.default.value
    if (spec.optional) return undefined
    throw new TidemarkError('missing-setting', `The option ${option} (${key}) is missing: ${spec.meaning}`, {
      details: { setting: key },
    })
  }
  const decoded = E.tryCatch(
    () => spec.decode(spec.encode(value)),
    () => spec.expected,
  )
  if (E.isRight(decoded) && E.isRight(decoded.right)) return decoded.right.right
  const shown = spec.secret
    ? null
    : shownValue(typeof value === 'number' || typeof value === 'string' ? String(value) : '')
  throw invalid(
    option,
    `${shown === null ? 'has a value that it cannot have' : `is ${shown}`}: expected ${spec.expected}`,
  )
}

/** What no option can tell by itself. */
function checkTogether(config: CassandraConfig): void {
  const { tls, tlsCa, tlsCert, tlsKey, tlsKeyPassword, username, password } = config
  if ((username === undefined) !== (password === undefined)) {
    const missing = username === undefined ? 'username' : 'password'
    throw invalid(missing, 'is not set: user name and password belong together')
  }
  if (!tls && (tlsCa !== undefined || tlsCert !== undefined)) {
    throw invalid('tls', 'is false, and files for TLS are set: set it to true, or remove them')
  }
  if ((tlsCert === undefined) !== (tlsKey === undefined)) {
    throw invalid(tlsCert === undefined ? 'tlsCert' : 'tlsKey', 'is not set: certificate and key belong together')
  }
  if (tlsKeyPassword !== undefined && tlsKey === undefined) {
    throw invalid('tlsKey', 'is not set, and a password for it is')
  }
  if (config.reconnectMaxDelayMs < config.reconnectDelayMs) {
    throw invalid('reconnectMaxDelayMs', `is less than ${settingOfOption.reconnectDelayMs}`)
  }
}

function invalid(option: Option, problem: string): TidemarkError {
  const key = settingOfOption[option]
  const { example } = specs[key]
  return new TidemarkError('invalid-setting', `${key} ${problem}. Example: ${key}=${example}`, {
    details: { setting: key },
  })
}
