import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { inspect } from 'node:util'
import { errors, policies, types } from 'cassandra-driver'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { cassandraConfig, type CassandraOptions } from '../../../../src/connectors/cassandra/config/cassandraConfig.ts'
import { driverOptions } from '../../../../src/connectors/cassandra/config/driverOptions.ts'
import { LookupRetryPolicy } from '../../../../src/connectors/cassandra/client/driverError.ts'
import { OpenConnections } from '../../../../src/connectors/cassandra/protocol/openConnections.ts'
import { ManualClock } from '../../../../src/testing/world/manualClock.ts'
import { makePem } from '../../../support/pemFiles.ts'

let directory = ''
beforeAll(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'tidemark-options-'))
})
afterAll(() => {
  rmSync(directory, { recursive: true })
})

const place = {
  contactPoints: [
    { host: '::1', port: 9042 },
    { host: 'node2', port: 9043 },
  ],
  localDatacenter: 'dc1',
}
const optionsFor = (options: Partial<CassandraOptions> = {}): ReturnType<typeof driverOptions> =>
  driverOptions(cassandraConfig({ ...place, ...options }), new OpenConnections(new ManualClock()))

function file(name: string, text: string): string {
  const to = path.join(directory, name)
  writeFileSync(to, text)
  return to
}

describe('what the driver is given', () => {
  test('is addresses, a datacenter by a token-aware policy, timeouts, and no reporting', async () => {
    const {
      contactPoints,
      localDataCenter,
      policies: chosen,
      socketOptions,
      monitorReporting,
      queryOptions,
      credentials,
      sslOptions,
    } = await optionsFor()
    expect(contactPoints).toEqual(['[::1]:9042', 'node2:9043'])
    expect(localDataCenter).toBeUndefined()
    expect(chosen?.loadBalancing).toBeInstanceOf(policies.loadBalancing.DefaultLoadBalancingPolicy)
    expect(chosen?.loadBalancing?.getOptions().get('localDataCenter')).toBe('dc1')
    expect(socketOptions).toMatchObject({ connectTimeout: 5_000, readTimeout: 2_000 })
    expect(monitorReporting).toEqual({ enabled: false })
    expect(queryOptions).toEqual({ isIdempotent: true })
    expect([credentials, sslOptions]).toEqual([undefined, undefined])
  })

  test('is to reconnect after 1 s, doubling up to 10 s, unless set otherwise', async () => {
    const delays = async (options: Partial<CassandraOptions>): Promise<number[]> => {
      const schedule = (await optionsFor(options)).policies?.reconnection?.newSchedule()
      return Array.from({ length: 7 }, () => schedule?.next().value ?? NaN)
    }
    const steps = [1_000, 2_000, 4_000, 8_000, 10_000, 10_000, 10_000]
    // The driver adds up to 15 % either way, and never goes beyond the longest.
    for (const [at, delay] of (await delays({})).entries()) {
      expect(delay).toBeGreaterThanOrEqual((steps[at] ?? 0) * 0.85)
      expect(delay).toBeLessThanOrEqual(Math.min((steps[at] ?? 0) * 1.15, 10_000))
    }
    expect(Math.max(...(await delays({ reconnectDelayMs: 10, reconnectMaxDelayMs: 40 })))).toBeLessThanOrEqual(40)
  })

  test('are the user, and TLS that trusts the named authority only', async () => {
    const { certificate, lockedKey, password } = makePem(directory)
    const options = await optionsFor({
      username: 'ada',
      password: 'secret',
      tlsCa: file('ca.pem', certificate),
      tlsCert: file('cert.pem', certificate),
      tlsKey: file('key.pem', lockedKey),
      tlsKeyPassword: password,
    })
    expect(options.credentials).toEqual({ username: 'ada', password: 'secret' })
    expect(options.sslOptions).toEqual({
      rejectUnauthorized: true,
      ca: certificate,
      cert: certificate,
      key: lockedKey,
      passphrase: password,
    })
  })

  test('are refused where a file is no PEM, or not the other one’s, by the setting that is to be mended', async () => {
    const { certificate, key, lockedKey, otherKey } = makePem(directory)
    const whole = { tlsCert: file('cert.pem', certificate), tlsKey: file('key.pem', key) }
    const refused = async (options: Partial<CassandraOptions>, setting: string, message: RegExp): Promise<void> => {
      await expect(optionsFor(options)).rejects.toMatchObject({
        code: 'invalid-setting',
        message: expect.stringMatching(message),
        details: { setting },
      })
    }
    await refused({ tlsCa: file('ca.pem', 'no PEM') }, 'cassandra.tls.ca', /ca\.pem holds no whole certificate in PEM/)
    await refused({ tlsCa: file('ca.pem', key) }, 'cassandra.tls.ca', /but a private key/)
    await refused({ ...whole, tlsKey: file('k.pem', otherKey) }, 'cassandra.tls.key', /not that of the certificate/)
    await refused({ ...whole, tlsKey: file('k.pem', lockedKey) }, 'cassandra.tls.key.password', /needs a password/)
    const wrong = { ...whole, tlsKey: file('k.pem', lockedKey), tlsKeyPassword: 'hunter2-hunter2' }
    await refused(wrong, 'cassandra.tls.key.password', /^(?!.*hunter2).*does not open/)
  })

  test('are refused where a path is what belongs into the file, without a word of it', async () => {
    const { key } = makePem(directory)
    for (const tlsCa of [key, 'hunter2', 'ada:hunter2@host.pem']) {
      const failed = await Promise.resolve()
        .then(() => optionsFor({ tlsCa }))
        .catch((error: unknown) => error)
      expect(failed).toMatchObject({ code: 'invalid-setting', message: expect.stringContaining('cassandra.tls.ca') })
      expect(inspect(failed)).not.toMatch(/hunter2|PRIVATE/)
    }
  })

  test('still checks the authority when host names are not verified', async () => {
    const { sslOptions } = await optionsFor({ tls: true, tlsVerifyHostname: false })
    expect(sslOptions?.rejectUnauthorized).toBe(true)
    expect(sslOptions?.checkServerIdentity?.('x', {} as never)).toBeUndefined()
    expect((await optionsFor({ tls: true })).sslOptions).toEqual({ rejectUnauthorized: true })
  })

  test('is a profile of the consistency and the timeout that are set, or of the file', async () => {
    const profiles = async (options: Partial<CassandraOptions>): Promise<unknown> =>
      (await optionsFor(options)).profiles?.map(({ name, consistency, readTimeout }) => [
        name,
        consistency,
        readTimeout,
      ])
    expect(await profiles({ consistency: 'ONE', requestTimeoutMs: 700 })).toEqual([
      ['default', types.consistencies.one, 700],
    ])
    const driverSettingsFile = file(
      'driver.json',
      '{"profiles":[{"name":"reads","consistency":"QUORUM"},{"name":"slow","readTimeout":9000}]}',
    )
    expect(await profiles({ driverSettingsFile, executionProfile: 'slow' })).toEqual([
      ['default', types.consistencies.localQuorum, 2_000],
      ['reads', types.consistencies.quorum, 2_000],
      ['slow', types.consistencies.localQuorum, 9_000],
    ])
    await expect(profiles({ driverSettingsFile, executionProfile: 'read' })).rejects.toThrow(
      'cassandra.execution.profile is none of the profiles that there are. Did you mean reads?',
    )
  })

  test('holds what the file sets beside the settings', async () => {
    const driverSettingsFile = file('more.json', '{"socketOptions":{"tcpNoDelay":false},"pooling":{"warmup":false}}')
    const { socketOptions, pooling } = await optionsFor({ driverSettingsFile, connectTimeoutMs: 100 })
    expect(socketOptions).toEqual({ tcpNoDelay: false, connectTimeout: 100, readTimeout: 2_000 })
    expect(pooling).toEqual({ warmup: false })
  })

  test.each([
    ['tlsCa', 'cassandra.tls.ca'],
    ['driverSettingsFile', 'cassandra.driver.settings.file'],
  ])('is refused by the name of the setting when the file of %s cannot be read', async (option, key) => {
    await expect(optionsFor({ [option]: path.join(directory, 'none') })).rejects.toMatchObject({
      code: 'invalid-setting',
      details: { setting: key },
    })
  })
})

describe('the retries of the driver itself', () => {
  const policy = new LookupRetryPolicy()
  const info = { query: '', nbRetry: 0 } as policies.retry.OperationInfo
  const decide = (error: Error): number => policy.onRequestError(info, types.consistencies.one, error).decision
  const { retryDecision } = policies.retry.RetryPolicy as unknown as {
    retryDecision: { retry: number; rethrow: number }
  }

  test('go to the next node when one is overloaded or its connection breaks', () => {
    expect(decide(new errors.ResponseError(types.responseErrorCodes.overloaded, 'busy'))).toBe(retryDecision.retry)
    expect(decide(new Error('Socket was closed'))).toBe(retryDecision.retry)
  })

  test('leave a node that does not answer in time to the retries of the lookup, whose deadline is running', () => {
    expect(decide(new errors.OperationTimedOutError('no reply'))).toBe(retryDecision.rethrow)
  })
})
