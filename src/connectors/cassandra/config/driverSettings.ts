import { types, type DseClientOptions } from 'cassandra-driver'
import { parseJson } from '../../../codecs/json/parseJson.ts'
import { TidemarkError, messageOf } from '../../../core/errors.ts'
import { isCount } from '../../../core/storedJson.ts'
import { didYouMean } from '../../../core/nearest.ts'
import { isJsonObject } from '../../../codecs/json/jsonNumber.ts'
import { consistencyNames, type ConsistencyName } from './cassandraSettings.ts'

/** One execution profile of the file; what it does not set is as the settings say. */
export interface DriverProfile {
  readonly name: string
  readonly consistency?: ConsistencyName
  readonly readTimeoutMs?: number
}

/** What the file says beyond the settings. */
export interface DriverSettings {
  readonly options: Partial<DseClientOptions>
  readonly profiles: readonly DriverProfile[]
}

/** What a member can be, and how an error says so. */
const kinds = {
  integer: { expected: 'a whole number from 0 on', fits: (value: unknown) => isCount(value) },
  flag: { expected: 'true or false', fits: (value: unknown) => typeof value === 'boolean' },
  text: { expected: 'a text that is not empty', fits: (value: unknown) => typeof value === 'string' && value !== '' },
}

type Kind = keyof typeof kinds

/** What a file may set: options of cassandra-driver that no setting of ours has, in the driver's own names. */
const known: Readonly<Record<string, Kind>> = {
  applicationName: 'text',
  applicationVersion: 'text',
  prepareOnAllHosts: 'flag',
  rePrepareOnUp: 'flag',
  refreshSchemaDelay: 'integer',
  'pooling.coreConnectionsPerHost': 'integer',
  'pooling.heartBeatInterval': 'integer',
  'pooling.maxRequestsPerConnection': 'integer',
  'pooling.warmup': 'flag',
  'protocolOptions.maxSchemaAgreementWaitSeconds': 'integer',
  'protocolOptions.noCompact': 'flag',
  'socketOptions.coalescingThreshold': 'integer',
  'socketOptions.defunctReadTimeoutThreshold': 'integer',
  'socketOptions.keepAlive': 'flag',
  'socketOptions.keepAliveDelay': 'integer',
  'socketOptions.tcpNoDelay': 'flag',
}

/** Options of the driver that a setting of ours stands for. */
const elsewhere: Readonly<Record<string, string>> = {
  contactPoints: 'cassandra.contact.points',
  localDataCenter: 'cassandra.local.datacenter',
  credentials: 'cassandra.username and cassandra.password',
  sslOptions: 'cassandra.tls and the settings after it',
  'socketOptions.connectTimeout': 'cassandra.connect.timeout.ms',
  'socketOptions.readTimeout': 'cassandra.request.timeout.ms',
  'policies.reconnection': 'cassandra.reconnect.delay.ms and cassandra.reconnect.max.delay.ms',
  'queryOptions.consistency': 'cassandra.consistency',
  maxPrepared: 'cassandra.max.tables',
}

const profileMembers: Readonly<Record<string, Kind>> = { name: 'text', consistency: 'text', readTimeout: 'integer' }

/**
 * Reads the text of `cassandra.driver.settings.file`: a JSON object of driver options, nested as the driver has them, and
 * `profiles`. Throws `invalid-setting` for what is not that and `unknown-setting` for a key that is not known, naming the
 * nearest one.
 */
export function parseDriverSettings(file: string, text: string): DriverSettings {
  const json = parse(file, text)
  const options: Record<string, unknown> = {}
  for (const [path, value] of leaves(json)) {
    const kind = known[path]
    if (kind === undefined) throw unknown(file, path)
    check(file, path, kind, value)
    put(options, path, path === 'pooling.coreConnectionsPerHost' ? { [types.distance.local]: value } : value)
  }
  return { options, profiles: parseProfiles(file, json['profiles'] ?? []) }
}

function parse(file: string, text: string): Readonly<Record<string, unknown>> {
  let json: unknown
  try {
    // A byte order mark before the file only says that it is UTF-8.
    json = parseJson(text.replace(/^\uFEFF/, ''))
  } catch (error) {
    // Our own parser says where; JSON.parse quotes the file, which may hold a password.
    throw wrong(file, `is not JSON: ${messageOf(error)}`)
  }
  if (isJsonObject(json)) return json
  throw wrong(file, 'is not a JSON object')
}

/** Members by their path. Groups are one level deep. */
function leaves(json: Readonly<Record<string, unknown>>): readonly (readonly [string, unknown])[] {
  return Object.entries(json).flatMap(([name, value]): readonly (readonly [string, unknown])[] => {
    if (name === 'profiles') return []
    if (!isJsonObject(value)) return [[name, value]]
    return Object.entries(value).map(([inner, innerValue]) => [`${name}.${inner}`, innerValue] as const)
  })
}

function put(options: Record<string, unknown>, path: string, value: unknown): void {
  const [group = '', name] = path.split('.')
  const inner = options[group]
  options[group] = name === undefined ? value : { ...(isJsonObject(inner) ? inner : {}), [name]: value }
}

function parseProfiles(file: string, json: unknown): readonly DriverProfile[] {
  if (!Array.isArray(json)) throw wrong(file, 'has profiles that are not an array')
  return json.map((profile: unknown, index): DriverProfile => {
    const path = `profiles[${String(index)}]`
    if (!isJsonObject(profile)) throw wrong(file, `has ${path}, which is not an object`)
    for (const [member, value] of Object.entries(profile)) {
      const kind = profileMembers[member]
      if (kind === undefined) throw unknownKey(file, `${path}.${member}`, member, Object.keys(profileMembers))
      check(file, `${path}.${member}`, kind, value)
    }
    const { name, consistency, readTimeout } = profile
    if (typeof name !== 'string') throw wrong(file, `has ${path} without a name`)
    // To the driver 0 is no timeout at all, and a request that never ends would keep its slot for ever.
    if (readTimeout === 0) throw wrongValue(file, `${path}.readTimeout`, 'a time in ms from 1 on')
    const level = consistencyNames.find((candidate) => candidate === consistency)
    if (consistency !== undefined && level === undefined) {
      throw wrongValue(file, `${path}.consistency`, `one of ${consistencyNames.join(', ')}`)
    }
    return {
      name,
      ...(level === undefined ? {} : { consistency: level }),
      ...(typeof readTimeout === 'number' ? { readTimeoutMs: readTimeout } : {}),
    }
  })
}

function check(file: string, path: string, kind: Kind, value: unknown): void {
  const { expected, fits } = kinds[kind]
  if (!fits(value)) throw wrongValue(file, path, expected)
}

function unknown(file: string, path: string): TidemarkError {
  const setting = elsewhere[path] ?? elsewhere[path.split('.')[0] ?? '']
  if (setting !== undefined) return wrong(file, `sets ${path}: use ${setting} instead`)
  return unknownKey(file, path, path, [...Object.keys(known), 'profiles'])
}

function unknownKey(file: string, path: string, name: string, names: readonly string[]): TidemarkError {
  const hint = didYouMean(name, names, `Known are ${names.join(', ')}.`)
  return new TidemarkError('unknown-setting', `${file} sets ${path}, which is not known. ${hint}`, {
    details: { setting: path, place: file },
  })
}

function wrong(file: string, problem: string): TidemarkError {
  return new TidemarkError('invalid-setting', `cassandra.driver.settings.file: ${file} ${problem}`, {
    details: { setting: 'cassandra.driver.settings.file', place: file },
  })
}

/** A file may hold a secret where none belongs, so the value is not shown. */
function wrongValue(file: string, path: string, expected: string): TidemarkError {
  return wrong(file, `has a wrong value for ${path}: expected ${expected}`)
}
