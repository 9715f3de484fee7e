import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { types } from 'cassandra-driver'
import { parseDriverSettings } from '../../../../src/connectors/cassandra/config/driverSettings.ts'
import { TidemarkError } from '../../../../src/core/errors.ts'

function errorOf(json: unknown): TidemarkError {
  try {
    parseDriverSettings('driver.json', typeof json === 'string' ? json : JSON.stringify(json))
  } catch (error) {
    if (error instanceof TidemarkError) return error
  }
  throw new Error('it was taken')
}

const documentation = readFileSync(new URL('../../../../docs/cassandra.md', import.meta.url), 'utf8')

describe('the driver settings file', () => {
  test('of the documentation is one', () => {
    const [, example = ''] = /```json\n([\s\S]+?)```/.exec(documentation) ?? []
    const { options, profiles } = parseDriverSettings('docs/cassandra.md', example)
    expect(options).toMatchObject({ pooling: { warmup: true }, socketOptions: { tcpNoDelay: true } })
    expect(profiles).toEqual([{ name: 'reads', consistency: 'LOCAL_ONE', readTimeoutMs: 1_500 }])
  })

  test('gives options of the driver, nested as it has them, and profiles', () => {
    const text = JSON.stringify({
      applicationName: 'reconcile',
      pooling: { heartBeatInterval: 10_000, coreConnectionsPerHost: 2 },
      socketOptions: { tcpNoDelay: true, keepAliveDelay: 0 },
      profiles: [{ name: 'reads', consistency: 'LOCAL_ONE', readTimeout: 500 }, { name: 'default' }],
    })
    expect(parseDriverSettings('driver.json', text)).toEqual({
      options: {
        applicationName: 'reconcile',
        pooling: { heartBeatInterval: 10_000, coreConnectionsPerHost: { [types.distance.local]: 2 } },
        socketOptions: { tcpNoDelay: true, keepAliveDelay: 0 },
      },
      profiles: [{ name: 'reads', consistency: 'LOCAL_ONE', readTimeoutMs: 500 }, { name: 'default' }],
    })
  })

  test.each([
    [
      { pooling: { heartbeatInterval: 1 } },
      'driver.json sets pooling.heartbeatInterval, which is not known. Did you mean pooling.heartBeatInterval?',
    ],
    [{ profile: [] }, 'Did you mean profiles?'],
    [
      { profiles: [{ name: 'a', consistancy: 'ONE' }] },
      'profiles[0].consistancy, which is not known. Did you mean consistency?',
    ],
  ])('refuses %j and names the nearest key', (json, message) => {
    const error = errorOf(json)
    expect(error.code).toBe('unknown-setting')
    expect(error.message).toContain(message)
  })

  test.each([
    ['{', 'is not JSON'],
    ['{"a": hunter2}', 'is not JSON: The value is not valid JSON at line 1, column 7'],
    ['password=hunter2', 'is not JSON: The value is not valid JSON at line 1, column 1'],
    [[], 'is not a JSON object'],
    [{ contactPoints: ['x'] }, 'sets contactPoints: use cassandra.contact.points instead'],
    [
      { credentials: { username: 'ada', password: 'hunter2' } },
      'use cassandra.username and cassandra.password instead',
    ],
    [{ sslOptions: { ca: 'x' } }, 'use cassandra.tls and the settings after it instead'],
    [{ profiles: [{ name: 'a', readTimeout: 0 }] }, 'profiles[0].readTimeout: expected a time in ms from 1 on'],
    [{ socketOptions: { readTimeout: 1 } }, 'use cassandra.request.timeout.ms instead'],
    [{ pooling: { warmup: 'yes' } }, 'has a wrong value for pooling.warmup: expected true or false'],
    [{ refreshSchemaDelay: -1 }, 'has a wrong value for refreshSchemaDelay: expected a whole number'],
    [{ applicationName: '' }, 'expected a text that is not empty'],
    [{ profiles: {} }, 'has profiles that are not an array'],
    [{ profiles: [{}] }, 'has profiles[0] without a name'],
    [{ profiles: [{ name: 'a', consistency: 'hunter2' }] }, 'profiles[0].consistency: expected one of ONE'],
  ])('refuses %j and says why, without values', (json, message) => {
    const error = errorOf(json)
    expect(error.code).toBe('invalid-setting')
    expect(error.message).toContain('driver.json')
    expect(error.message).toContain(message)
    expect(error.message).not.toContain('hunter2')
  })
})
