import { describe, expect, test } from 'vitest'
import {
  cassandraConfig,
  cassandraOptionsOf,
  settingOfOption,
  type CassandraOptions,
} from '../../../../src/connectors/cassandra/config/cassandraConfig.ts'
import { cassandraSettings } from '../../../../src/connectors/cassandra/config/cassandraSettings.ts'
import { TidemarkError } from '../../../../src/core/errors.ts'
import type { SettingSpec, SettingsOf } from '../../../../src/core/setting.ts'

const place = { contactPoints: [{ host: 'localhost', port: 9042 }], localDatacenter: 'dc1' }
const placeTexts = { 'cassandra.contact.points': 'localhost', 'cassandra.local.datacenter': 'dc1' }
const secret = 'hunter2 with spaces '

function errorOf(options: object): TidemarkError {
  try {
    cassandraConfig({ ...place, ...options })
  } catch (error) {
    if (error instanceof TidemarkError) return error
  }
  throw new Error('it was taken')
}

/** The settings as they are when each has this text, or is absent. */
function settings(texts: Readonly<Record<string, string>>): SettingsOf<typeof cassandraSettings> {
  const specs: Readonly<Record<string, SettingSpec<unknown>>> = cassandraSettings
  const values = Object.entries(specs).map(([key, spec]) => {
    const text = texts[key]
    if (text === undefined) return [key, spec.default?.value]
    const decoded = spec.decode(text)
    if (decoded._tag === 'Left') throw new Error(`${key}: ${decoded.left}`)
    return [key, decoded.right]
  })
  return Object.fromEntries(values) as SettingsOf<typeof cassandraSettings>
}

describe('the options for Cassandra', () => {
  test('need a place only; the rest is as the defaults of the settings', () => {
    expect(cassandraConfig(place)).toEqual({
      ...place,
      username: undefined,
      password: undefined,
      tls: false,
      tlsCa: undefined,
      tlsCert: undefined,
      tlsKey: undefined,
      tlsKeyPassword: undefined,
      tlsVerifyHostname: true,
      connectTimeoutMs: 5_000,
      requestTimeoutMs: 2_000,
      reconnectDelayMs: 1_000,
      reconnectMaxDelayMs: 10_000,
      consistency: 'LOCAL_QUORUM',
      executionProfile: 'default',
      driverSettingsFile: undefined,
      maxInFlight: 256,
      maxTables: 200,
    })
  })

  test('and the settings are the same things: each option is one setting, and none is left out', () => {
    const own = Object.values(settingOfOption).filter((key) => key in cassandraSettings)
    expect(own.toSorted()).toEqual(Object.keys(cassandraSettings).toSorted())
    expect(new Set(Object.values(settingOfOption)).size).toBe(Object.keys(settingOfOption).length)
    const texts = Object.fromEntries(
      Object.entries(cassandraSettings).map(([key, spec]): [string, string] => [key, spec.example]),
    )
    const config = cassandraConfig(cassandraOptionsOf(settings({ ...placeTexts, ...texts })))
    for (const [option, key] of Object.entries(settingOfOption)) {
      if (!(key in cassandraSettings)) continue
      const spec: SettingSpec<unknown> = cassandraSettings[key]
      const example = spec.decode(spec.example)
      expect([key, config[option as keyof typeof config]]).toEqual([
        key,
        'right' in example ? example.right : undefined,
      ])
    }
  })

  test('of settings that are not set are the defaults', () => {
    expect(cassandraConfig(cassandraOptionsOf(settings(placeTexts)))).toEqual(cassandraConfig(place))
  })

  test('that do not exist are refused, naming the nearest one', () => {
    const error = errorOf({ requestTimoutMs: 1 })
    expect(error.code).toBe('unknown-setting')
    expect(error.message).toBe('There is no option "requestTimoutMs" for Cassandra. Did you mean requestTimeoutMs?')
    expect(errorOf({ zzz: 1 }).message).toContain('The options are contactPoints, localDatacenter,')
  })

  test.each([
    [{ requestTimeoutMs: 0 }, 'cassandra.request.timeout.ms is 0: expected a time in ms'],
    [{ maxInFlight: 1.5 }, 'cassandra.max.in.flight is 1.5: expected an integer'],
    [{ consistency: 'MOST' }, 'cassandra.consistency has a value that it cannot have: expected one of ONE'],
    [{ localDatacenter: '' }, 'cassandra.local.datacenter has a value that it cannot have: expected'],
    [{ contactPoints: [] }, 'cassandra.contact.points has a value that it cannot have: expected'],
    [{ contactPoints: 'localhost' }, 'cassandra.contact.points has a value that it cannot have: expected'],
    [{ username: 'ada' }, 'cassandra.password is not set: user name and password belong together'],
    [{ password: secret }, 'cassandra.username is not set'],
    [{ tls: false, tlsCa: 'ca.pem' }, 'cassandra.tls is false, and files for TLS are set'],
    [{ tlsCert: 'c.pem' }, 'cassandra.tls.key is not set'],
    [{ tlsKey: 'k.pem', tls: true }, 'cassandra.tls.cert is not set'],
    [{ tlsKeyPassword: secret }, 'cassandra.tls.key is not set'],
    [{ reconnectMaxDelayMs: 500 }, 'cassandra.reconnect.max.delay.ms is less than cassandra.reconnect.delay.ms'],
  ])('%j is refused by the name of the setting', (options, message) => {
    const error = errorOf(options)
    expect(error.code).toBe('invalid-setting')
    expect(error.message).toContain(message)
    expect(error.details['setting']).toMatch(/^cassandra\./)
  })

  test('that are missing are named with their setting', () => {
    const incomplete: object = { localDatacenter: 'dc1' }
    expect(() => cassandraConfig(incomplete as CassandraOptions)).toThrow(
      'The option contactPoints (cassandra.contact.points) is missing',
    )
  })

  test('switch TLS on by naming a file for it', () => {
    expect(cassandraConfig({ ...place, tlsCa: 'ca.pem' }).tls).toBe(true)
    expect(cassandraConfig({ ...place, tlsCert: 'c.pem', tlsKey: 'k.pem' }).tls).toBe(true)
    expect(cassandraConfig({ ...place, tls: true }).tls).toBe(true)
  })

  test('keep the white space of a secret, and never show one', () => {
    expect(cassandraConfig({ ...place, username: 'ada', password: secret }).password).toBe(secret)
    expect(errorOf({ password: secret }).message).not.toContain('hunter2')
    expect(errorOf({ username: 'ada', password: '' }).message).not.toContain('""')
    expect(cassandraSettings['cassandra.password'].secret).toBe(true)
    expect(cassandraSettings['cassandra.tls.key.password'].secret).toBe(true)
  })
})
