import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { fc, test as property } from '@fast-check/vitest'
import { systemClock } from '../../../../src/core/ports/clock.ts'
import { parseJaasConfig } from '../../../../src/connectors/kafka/config/jaasConfig.ts'
import { kafkaConfig, transactionTimeoutMs } from '../../../../src/connectors/kafka/config/kafkaConfig.ts'
import { kafkaSettings } from '../../../../src/connectors/kafka/config/kafkaSettings.ts'
import { clientCredentialsToken } from '../../../../src/connectors/kafka/config/oauthToken.ts'
import { ManualClock } from '../../../../src/testing/world/manualClock.ts'
import { makePem, type PemTexts } from '../../../support/pemFiles.ts'
import { makeClientCertificate, type ClientCertificate } from '../clientCertificate.ts'
import { decodeKafkaSettings } from '../kafkaSettingsOf.ts'

const times = { intervalMs: 30_000, minPauseMs: 15_000, timeoutMs: 60_000, longestWaitMs: 5_000 }
const servers = [{ host: 'localhost', port: 9092 }]
const configOf = (texts: Readonly<Record<string, string>>) =>
  kafkaConfig(servers, decodeKafkaSettings(texts), times, systemClock)
const jaas = "org.apache.kafka.common.security.plain.PlainLoginModule required username='key' password='secret';"

let directory: string

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'tidemark-kafka-'))
})
afterAll(() => {
  rmSync(directory, { recursive: true })
})

test('nothing set is plain text without authentication', () => {
  expect(configOf({})).toMatchObject({ tls: null, sasl: null, compression: 'none' })
})

test("the seed's Confluent Cloud properties are read as they stand", () => {
  expect(
    configOf({ 'security.protocol': 'SASL_SSL', 'sasl.mechanism': 'PLAIN', 'sasl.jaas.config': jaas }),
  ).toMatchObject({
    tls: {},
    sasl: { mechanism: 'plain', username: 'key', password: 'secret' },
  })
})

test('the prefixed spelling wins over the bare one', () => {
  expect(configOf({ 'security.protocol': 'SASL_SSL', 'kafka.security.protocol': 'PLAINTEXT' })).toMatchObject({
    tls: null,
    sasl: null,
  })
})

test('every secret is marked as one', () => {
  const secrets = Object.entries(kafkaSettings).filter(([, spec]) => spec.secret)
  expect(secrets.map(([key]) => key.replace(/^kafka\./, ''))).toEqual(
    expect.arrayContaining([
      'sasl.password',
      'sasl.token',
      'sasl.jaas.config',
      'ssl.keystore.password',
      'ssl.keystore.key',
      'ssl.key.password',
    ]),
  )
})

describe('settings that contradict each other are refused by name', () => {
  test.each([
    [
      { 'security.protocol': 'PLAINTEXT', 'sasl.jaas.config': jaas },
      /security\.protocol is PLAINTEXT, and SASL settings are given/,
    ],
    [{ 'security.protocol': 'SASL_SSL' }, /no user is given/],
    [{ 'kafka.ssl': 'false', 'security.protocol': 'SSL' }, /contradict/],
    [{ 'kafka.sasl.username': 'key' }, /needs a user name and a password/],
    [{ 'sasl.mechanism': 'OAUTHBEARER' }, /OAUTHBEARER needs a token/],
    [
      { 'sasl.jaas.config': 'x.ScramLoginModule required username="a" password="b";' },
      /set it to SCRAM-SHA-256 or SCRAM-SHA-512/,
    ],
    [
      { 'security.protocol': 'SSL', 'ssl.truststore.location': '/no/such/file.pem' },
      /ssl\.truststore\.location names \/no\/such\/file\.pem, which cannot be read: there is no such file/,
    ],
    [{ 'kafka.transaction.timeout.ms': '60000' }, /an epoch may take 110000 ms/],
  ])('%j', (texts, message) => {
    expect(() => configOf(texts)).toThrow(
      expect.objectContaining({ code: 'invalid-setting', message: expect.stringMatching(message) }),
    )
  })

  test.each([
    ['kafka.acks', '1', /all: records that fewer replicas have/],
    ['kafka.enable.idempotence', 'false', /true: without it a repeated send doubles records/],
  ] as const)('%s=%s is weaker than exactly-once', (key, text, message) => {
    expect(() => decodeKafkaSettings({ [key]: text })).toThrow(message)
  })
})

test('a truststore in a format of Java is refused with the way to convert it', () => {
  const file = join(directory, 'trust.jks')
  writeFileSync(file, Buffer.from([0xfe, 0xed, 0xfe, 0xed]))
  expect(() => configOf({ 'kafka.ssl': 'true', 'ssl.truststore.location': file })).toThrow(/keytool -exportcert/)
})

test.each([
  ['client.jks', {}],
  ['client.p12', { 'ssl.keystore.type': 'PKCS12' }],
  ['client.jks', { 'ssl.keystore.type': 'JKS', 'ssl.keystore.password': 'x' }],
])('a Java keystore, %s with %j, is refused with the way to convert it', (name, texts) => {
  const file = join(directory, name)
  writeFileSync(file, Buffer.from([0xfe, 0xed, 0xfe, 0xed, 0, 0, 0, 2]))
  expect(() => configOf({ 'security.protocol': 'SSL', 'ssl.keystore.location': file, ...texts })).toThrow(
    `keytool -importkeystore -srckeystore ${file} -destkeystore client.p12 -deststoretype PKCS12`,
  )
})

describe('a PKCS12 keystore', () => {
  let client: ClientCertificate

  beforeAll(() => {
    client = makeClientCertificate(directory, null)
  })

  test("is read under any name, as Java's own tools write it", () => {
    const file = join(directory, 'new.jks')
    copyFileSync(client.pkcs12File, file)
    const texts = {
      'security.protocol': 'SSL',
      'ssl.keystore.location': file,
      'ssl.keystore.password': client.password,
    }
    expect(configOf(texts).tls).toMatchObject({ pfx: readFileSync(file), passphrase: client.password })
  })

  test('with another password is refused by name, without the password', () => {
    const wrong = { 'ssl.keystore.location': client.pkcs12File, 'ssl.keystore.password': 'wrong-1' }
    expect(() => configOf({ 'security.protocol': 'SSL', ...wrong })).toThrow(
      expect.objectContaining({
        code: 'invalid-setting',
        message: expect.stringMatching(/^(?!.*wrong-1).*cannot be opened as PKCS12: .*Check ssl\.keystore\.password/),
      }),
    )
  })

  test('is refused where the settings call it PEM', () => {
    const texts = { 'ssl.keystore.type': 'PEM', 'ssl.keystore.location': client.pkcs12File }
    expect(() => configOf({ 'security.protocol': 'SSL', ...texts })).toThrow('holds no PEM text')
  })
})

test('certificates in the settings themselves may have lost their line ends', () => {
  const { certificate } = makePem(directory)
  for (const lineEnd of [' ', '\\n', '\r\n']) {
    const lost = certificate.trimEnd().replaceAll('\n', lineEnd)
    const config = configOf({ 'security.protocol': 'SSL', 'ssl.truststore.certificates': lost })
    expect(config.tls?.ca).toBe(certificate)
  }
})

describe('PEM that cannot be used is refused before any connection, by the setting that is to be mended', () => {
  let pem: PemTexts

  beforeAll(() => {
    pem = makePem(directory)
  })

  const failureOf = (texts: Readonly<Record<string, string>>): unknown => {
    try {
      return configOf({ 'security.protocol': 'SSL', ...texts })
    } catch (error) {
      return error
    }
  }
  const refusal = (setting: string, message: RegExp) => ({
    code: 'invalid-setting',
    message: expect.stringMatching(message),
    details: { setting },
  })

  test('in the settings', () => {
    const { certificate, key, lockedKey, otherKey } = pem
    const own = 'ssl.keystore.certificate.chain'
    expect(failureOf({ 'ssl.truststore.certificates': key })).toMatchObject(
      refusal('ssl.truststore.certificates', /but a private key/),
    )
    expect(failureOf({ [own]: certificate, 'ssl.keystore.key': 'hunter2' })).toMatchObject(
      refusal('ssl.keystore.key', /^(?!.*hunter2).*is no PEM text/),
    )
    expect(failureOf({ [own]: certificate, 'ssl.keystore.key': otherKey })).toMatchObject(
      refusal('ssl.keystore.key', /not that of the certificate/),
    )
    expect(failureOf({ [own]: certificate, 'ssl.keystore.key': lockedKey })).toMatchObject(
      refusal('ssl.key.password', /needs a password/),
    )
  })

  test('in files', () => {
    const { certificate, key, lockedKey } = pem
    const file = (text: string): string => {
      const path = join(directory, 'given.pem')
      writeFileSync(path, text)
      return path
    }
    const cut = certificate.slice(0, 200)
    expect(failureOf({ 'ssl.truststore.location': file(cut) })).toMatchObject(
      refusal('ssl.truststore.location', /given\.pem holds no whole certificate/),
    )
    expect(failureOf({ 'ssl.keystore.location': file(key) })).toMatchObject(
      refusal('ssl.keystore.location', /but a private key/),
    )
    expect(failureOf({ 'ssl.keystore.location': file(certificate) })).toMatchObject(
      refusal('ssl.keystore.location', /no whole private key/),
    )
    const locked = { 'ssl.keystore.location': file(certificate + lockedKey), 'ssl.key.password': 'hunter2-hunter2' }
    expect(failureOf(locked)).toMatchObject(refusal('ssl.key.password', /^(?!.*hunter2).*does not open/))
  })

  test('in place of a path, without a word of it', () => {
    expect(() => decodeKafkaSettings({ 'ssl.keystore.location': pem.key })).toThrow(
      /^ssl\.keystore\.location: expected the path of a file, and not what belongs into it$/,
    )
    expect(() => decodeKafkaSettings({ 'ssl.truststore.certificates': 'hunter2' })).toThrow(/^(?!.*hunter2).*in PEM/)
    expect(failureOf({ 'ssl.truststore.location': 'hunter2' })).toMatchObject(
      refusal('ssl.truststore.location', /^(?!.*hunter2)/),
    )
  })
})

test('a login module that is not known is not quoted: it may be the password', () => {
  expect(() => configOf({ 'sasl.jaas.config': 'hunter2 required username="a" password="b";' })).toThrow(
    expect.objectContaining({ code: 'invalid-setting', message: expect.not.stringContaining('hunter2') }),
  )
})

test.each(['https://ada:hunter2@host/token', 'hunter2', 'ftp://host/hunter2', 'https://hunter2@host/'])(
  'the place of tokens is a URL without user and password: %s',
  (url) => {
    expect(() => decodeKafkaSettings({ 'sasl.oauthbearer.token.endpoint.url': url })).toThrow(
      /without user and password/,
    )
  },
)

test('a transaction outlasts the longest epoch', () => {
  expect(transactionTimeoutMs(times)).toBeGreaterThan(30_000 + 15_000 + 60_000 + 5_000)
  expect(configOf({}).transactionTimeoutMs).toBe(transactionTimeoutMs(times))
})

describe('sasl.jaas.config', () => {
  test('is read with single and double quotes, bare words and escapes', () => {
    const { module, options } = parseJaasConfig(
      '  a.b.ScramLoginModule required\n username="a\\"b" password=\'c d\' x=1 ; ',
    )
    expect([module, Object.fromEntries(options)]).toEqual([
      'ScramLoginModule',
      { username: 'a"b', password: 'c d', x: '1' },
    ])
  })

  property.prop([fc.string(), fc.string()])('gives back any user name and password', (username, password) => {
    const quoted = (text: string): string => `"${text.replaceAll(/[\\"]/g, '\\$&')}"`
    const { options } = parseJaasConfig(`M required username=${quoted(username)} password=${quoted(password)};`)
    expect([options.get('username'), options.get('password')]).toEqual([username, password])
  })

  test.each([
    '',
    'required',
    'M username="a"',
    'M required username="hunter2',
    "M required password='hunter2' and more;",
  ])('that cannot be read is refused without being quoted: %j', (text) => {
    expect(() => parseJaasConfig(text)).toThrow(
      expect.objectContaining({ code: 'invalid-setting', message: expect.not.stringContaining('hunter2') }),
    )
  })
})

describe('OAUTHBEARER tokens', () => {
  let server: Server
  let endpoint: string
  let asked: string[]
  let answer: () => { status: number; body: string }

  beforeAll(async () => {
    server = createServer((request, response) => {
      const parts: Buffer[] = []
      request
        .on('data', (part: Buffer) => parts.push(part))
        .on('end', () => {
          asked.push(`${request.headers.authorization ?? ''} ${Buffer.concat(parts).toString()}`)
          const { status, body } = answer()
          response.writeHead(status).end(body)
        })
    })
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve)
    })
    endpoint = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}/token`
  })
  afterAll(() => {
    server.close()
  })

  test('are fetched by client credentials, shared, and renewed before they expire', async () => {
    asked = []
    let number = 0
    answer = () => ({
      status: 200,
      body: JSON.stringify({ access_token: `token-${String((number += 1))}`, expires_in: 100 }),
    })
    const clock = new ManualClock(0)
    const token = clientCredentialsToken({ endpoint, clientId: 'me', clientSecret: 's:1', scope: 'kafka' }, clock)
    expect((await token()).value).toBe('token-1')
    expect((await token()).value).toBe('token-1')
    await clock.advance(75_000)
    expect((await token()).value).toBe('token-2')
    expect(asked).toHaveLength(2)
    expect(asked[0]).toBe(
      `Basic ${Buffer.from('me:s%3A1').toString('base64')} grant_type=client_credentials&scope=kafka`,
    )
  })

  test('that do not come are told without what was sent or answered, and are asked for again', async () => {
    asked = []
    answer = () => ({ status: 401, body: 'secret s1 is wrong' })
    const token = clientCredentialsToken(
      { endpoint, clientId: 'me', clientSecret: 's1', scope: null },
      new ManualClock(0),
    )
    await expect(token()).rejects.toMatchObject({
      code: 'system-unreachable',
      message: expect.not.stringContaining('s1'),
    })
    answer = () => ({ status: 200, body: '{"access_token":"late"}' })
    expect((await token()).value).toBe('late')
  })
})
