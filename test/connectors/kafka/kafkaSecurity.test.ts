import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type AddressInfo, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { systemClock } from '../../../src/core/ports/clock.ts'
import { kafkaConfig, type KafkaConfig } from '../../../src/connectors/kafka/config/kafkaConfig.ts'
import { openKafkaJobLog } from '../../../src/connectors/kafka/log/kafkaJobLog.ts'
import { KafkaTopics } from '../../../src/connectors/kafka/topics/kafkaTopics.ts'
import { silentLogger } from '../../../src/core/ports/logger.ts'
import { startKafka, type RunningKafka, type SecureKafka } from '../../servers/kafkaServer.ts'
import { fromKafka } from '../../../operators/fromKafka.ts'
import { toKafkaTransactional } from '../../../operators/toKafka.ts'
import { describeWithServers } from '../../support/realServers.ts'
import { makeClientCertificate, type ClientCertificate } from './clientCertificate.ts'
import { startKafkaJob, until } from './kafkaJob.ts'
import { decodeKafkaSettings } from './kafkaSettingsOf.ts'
import { output, testConfig, uniqueName } from './kafkaWorld.ts'

const user = { name: 'reconcile', password: 'right-1' }
const times = { intervalMs: 1_000, minPauseMs: 0, timeoutMs: 10_000, longestWaitMs: 0 }
const plain = 'org.apache.kafka.common.security.plain.PlainLoginModule'
const scram = 'org.apache.kafka.common.security.scram.ScramLoginModule'
const oauth = 'org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule'

function login(module: string, password = user.password): string {
  return `${module} required username='${user.name}' password='${password}';`
}

describeWithServers('a broker that wants TLS and a password', ['java'], () => {
  let kafka: RunningKafka
  let secure: SecureKafka

  beforeAll(async () => {
    kafka = await startKafka({ secure: { users: [user] } })
    if (kafka.secure === undefined) throw new Error('no secure listener')
    secure = kafka.secure
  }, 300_000)
  afterAll(() => kafka.kill9())

  /** Settings as they stand in application.properties. */
  const configOf = (texts: Readonly<Record<string, string>>, address = secure.address): KafkaConfig => ({
    ...testConfig(address),
    ...pick(kafkaConfig(testConfig(address).bootstrapServers, decodeKafkaSettings(texts), times, systemClock)),
  })
  const pick = ({ tls, sasl }: KafkaConfig): Pick<KafkaConfig, 'tls' | 'sasl'> => ({ tls, sasl })
  const trust = (): Record<string, string> => ({
    'ssl.truststore.location': secure.caFile,
    'ssl.truststore.type': 'PEM',
  })

  const reconcile = async (config: KafkaConfig): Promise<number> => {
    const topics = new KafkaTopics(config, { clock: systemClock, log: silentLogger })
    const [input, results] = [uniqueName('input'), uniqueName('results')]
    await topics.createTopic(input, { partitions: 1 })
    await topics.createTopic(results, { partitions: 1 })
    await topics.append([output(input, 'a'), output(input, 'b')])
    const job = startKafkaJob(
      (context) => [
        fromKafka(context, { topic: input, groupId: `${input}-group` }).pipe(
          toKafkaTransactional(context, { topic: results }),
        ),
      ],
      { name: uniqueName('job'), config },
    )
    await job.finished
    // The commit is acknowledged some ms before its marker makes the records visible.
    const read = async (): Promise<number> =>
      (await topics.readPage({ topic: results, partition: 0, from: 0, limit: 10 })).records.length
    await until('the records are visible', async () => (await read()) > 0)
    const count = await read()
    await topics.close()
    return count
  }

  it.each([
    [
      'PLAIN in the Java spelling',
      () => ({
        'security.protocol': 'SASL_SSL',
        'sasl.mechanism': 'PLAIN',
        'sasl.jaas.config': login(plain),
        ...trust(),
      }),
    ],
    [
      'SCRAM-SHA-256 in the Java spelling with the prefix',
      () =>
        prefixed({
          'security.protocol': 'SASL_SSL',
          'sasl.mechanism': 'SCRAM-SHA-256',
          'sasl.jaas.config': login(scram),
          ...trust(),
        }),
    ],
    [
      'SCRAM-SHA-512 in our own spelling',
      () => ({
        'kafka.ssl': 'true',
        'kafka.sasl.mechanism': 'SCRAM-SHA-512',
        'kafka.sasl.username': user.name,
        'kafka.sasl.password': user.password,
        ...trust(),
      }),
    ],
    [
      'OAUTHBEARER',
      () => ({
        'security.protocol': 'SASL_SSL',
        'sasl.jaas.config': `${oauth} required unsecuredLoginStringClaim_sub="${user.name}";`,
        ...trust(),
      }),
    ],
  ])('lets %s in, and the job runs exactly once', async (_, texts) => {
    expect(await reconcile(configOf(texts()))).toBe(2)
  })

  describe('takes a client by its certificate', () => {
    let directory: string
    let client: ClientCertificate

    beforeAll(() => {
      directory = mkdtempSync(join(tmpdir(), 'tidemark-client-'))
      client = makeClientCertificate(directory, secure)
    })
    afterAll(() => {
      rmSync(directory, { recursive: true })
    })

    it.each([
      [
        'PKCS12',
        () => ({
          'ssl.keystore.type': 'PKCS12',
          'ssl.keystore.location': client.pkcs12File,
          'ssl.keystore.password': client.password,
        }),
      ],
      ['PEM', () => ({ 'ssl.keystore.type': 'PEM', 'ssl.keystore.location': client.pemFile })],
    ])('in a %s keystore, and the job runs exactly once', async (_, texts) => {
      const settings = { 'security.protocol': 'SSL', ...trust(), ...texts() }
      expect(await reconcile(configOf(settings, secure.mutualAddress))).toBe(2)
    })

    it('and tells one that has none, or one that nobody has signed, what to do', async () => {
      const settings = { 'security.protocol': 'SSL', ...trust() }
      const unsigned = makeClientCertificate(mkdtempSync(join(directory, 'unsigned-')), null)
      for (const texts of [{}, { 'ssl.keystore.location': unsigned.pemFile }]) {
        const error = await refused(configOf({ ...settings, ...texts }, secure.mutualAddress))
        expect(error.message).toMatch(/wants a certificate of this client.*ssl\.keystore\.location/)
      }
    })
  })

  const refused = async (config: KafkaConfig): Promise<Error> => {
    const began = Date.now()
    const opening = openKafkaJobLog(
      config,
      {
        job: 'j',
        group: 'source',
        groupId: uniqueName('g'),
        inputs: [{ kind: 'topics', topics: ['x'] }],
        outputs: [],
        transactionalIdPrefix: 'j',
        copartitioned: false,
      },
      { clock: systemClock, log: silentLogger },
    )
    const error = await opening.then(
      () => new Error('it was let in'),
      (thrown: unknown) => thrown as Error,
    )
    expect(Date.now() - began).toBeLessThan(15_000)
    expect(error).toMatchObject({ code: 'system-unreachable', details: expect.objectContaining({ system: 'kafka' }) })
    expect(`${error.message} ${String(error.cause)}`).not.toContain('-1')
    return error
  }

  describe('refuses within 15 s, with the cause and what to do', () => {
    it.each([
      ['PLAIN', plain],
      ['SCRAM-SHA-256', scram],
      ['SCRAM-SHA-512', scram],
    ])('a wrong password with %s', async (mechanism, module) => {
      const error = await refused(
        configOf({
          'security.protocol': 'SASL_SSL',
          'sasl.mechanism': mechanism,
          'sasl.jaas.config': login(module, 'wrong-1'),
          ...trust(),
        }),
      )
      expect(error.message).toMatch(/user name or password are wrong.*sasl\.jaas\.config/)
    })

    it('an authority that is not trusted', async () => {
      const error = await refused(
        configOf({ 'security.protocol': 'SASL_SSL', 'sasl.mechanism': 'PLAIN', 'sasl.jaas.config': login(plain) }),
      )
      expect(error.message).toMatch(/not trusted here.*ssl\.truststore\.location/)
    })

    it('TLS towards a plain text port', async () => {
      const error = await refused(configOf({ 'security.protocol': 'SSL', ...trust() }, kafka.address))
      expect(error.message).toMatch(/does not speak TLS.*security\.protocol/)
    })

    it('plain text towards a TLS port', async () => {
      const error = await refused(configOf({}))
      expect(error.message).toMatch(/a server that wants TLS.*security\.protocol/)
    })

    it('authentication towards a port without', async () => {
      const error = await refused(
        configOf(
          { 'security.protocol': 'SASL_PLAINTEXT', 'sasl.mechanism': 'PLAIN', 'sasl.jaas.config': login(plain) },
          kafka.address,
        ),
      )
      expect(error.message).toMatch(/does not authenticate|does not offer/)
    })
  })
})

function prefixed(texts: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(texts).map(([key, value]) => [`kafka.${key}`, value]))
}

describe('an address where no Kafka is', () => {
  let silent: Server

  beforeAll(async () => {
    silent = createServer(() => undefined)
    await new Promise<void>((resolve) => {
      silent.listen(0, '127.0.0.1', resolve)
    })
  })
  afterAll(() => {
    silent.close()
  })

  const open = (address: string, overrides: Partial<KafkaConfig> = {}) =>
    openKafkaJobLog(
      testConfig(address, overrides),
      {
        job: 'j',
        group: 'source',
        groupId: 'g',
        inputs: [{ kind: 'topics', topics: ['x'] }],
        outputs: [],
        transactionalIdPrefix: 'j',
        copartitioned: false,
      },
      { clock: systemClock, log: silentLogger },
    )

  it('is told when nothing listens there', async () => {
    await expect(open('127.0.0.1:1')).rejects.toMatchObject({
      code: 'system-unreachable',
      message: expect.stringMatching(/127\.0\.0\.1:1 .*nothing listens there: check kafka\.bootstrap\.servers/),
    })
  })

  it('is told when the host is not known', async () => {
    await expect(open('no-such-host.invalid:9092')).rejects.toMatchObject({
      code: 'system-unreachable',
      message: expect.stringContaining('the host name is not known'),
    })
  })

  it('is told when something listens and says nothing', async () => {
    const { port } = silent.address() as AddressInfo
    await expect(open(`127.0.0.1:${String(port)}`, { requestTimeoutMs: 1_000 })).rejects.toMatchObject({
      code: 'system-unreachable',
      message: expect.stringMatching(/something listens there and does not answer.*security\.protocol/),
    })
  })
})
