import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { startCassandra, type RunningCassandra } from '../servers/cassandraServer.ts'
import { runCql } from '../servers/cqlWire.ts'
import { startKafka, type RunningKafka, type SecureKafka } from '../servers/kafkaServer.ts'
import { describeWithServers } from '../support/realServers.ts'
import { resultOf, root, startProcess, type ProcessResult } from './cliProcess.ts'
import { testCli, type CliResult } from './testCli.ts'

const passwords = { kafka: 'right-kafka-1', cassandra: 'right-cassandra-1', wrong: 'wrong-secret' }
const startLimitMs = 15_000

const jaas = (password: string): string =>
  `org.apache.kafka.common.security.plain.PlainLoginModule required username="reconcile" password="${password}";`

// The whole job as one is handed over to operations: every secret and address in one application.properties.
describeWithServers('jobs/reconcile.ts on a Kafka and a Cassandra that want TLS and passwords', ['java'], () => {
  let directory: string
  let kafka: RunningKafka
  let secure: SecureKafka
  let cassandra: RunningCassandra
  let right: Readonly<Record<string, string>>

  beforeAll(async () => {
    directory = mkdtempSync(path.join(tmpdir(), 'tidemark-secured-'))
    ;[kafka, cassandra] = await Promise.all([
      startKafka({ secure: { users: [{ name: 'reconcile', password: passwords.kafka }] } }),
      startCassandra({ auth: true, tls: true }),
    ])
    if (kafka.secure === undefined) throw new Error('no secure listener')
    secure = kafka.secure
    await runCql(cassandra.target, [
      "CREATE KEYSPACE shop WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
      'CREATE TABLE shop.items (id int PRIMARY KEY, name text)',
      "INSERT INTO shop.items (id, name) VALUES (1, 'one')",
      `CREATE ROLE reconcile WITH PASSWORD = '${passwords.cassandra}' AND LOGIN = true`,
      'GRANT SELECT ON KEYSPACE shop TO reconcile',
    ])
    right = {
      'kafka.bootstrap.servers': secure.address,
      'security.protocol': 'SASL_SSL',
      'sasl.mechanism': 'PLAIN',
      'sasl.jaas.config': jaas(passwords.kafka),
      'ssl.truststore.location': secure.caFile,
      'ssl.truststore.type': 'PEM',
      'cassandra.contact.points': cassandra.address,
      'cassandra.local.datacenter': cassandra.datacenter,
      'cassandra.username': 'reconcile',
      'cassandra.password': passwords.cassandra,
      'cassandra.tls.ca': cassandra.caFile ?? '',
      'dashboard.port': '0',
    }
  }, 300_000)
  afterAll(async () => {
    await Promise.all([kafka.kill9(), cassandra.kill9()])
    rmSync(directory, { recursive: true })
  })

  let files = 0
  /** The file with these settings and no others; absent where the value is undefined. */
  const propertiesOf = (changes: Readonly<Record<string, string | undefined>> = {}): string => {
    files += 1
    const file = path.join(directory, `application-${String(files)}.properties`)
    const settings = Object.entries({ ...right, ...changes }).filter(([, value]) => value !== undefined)
    writeFileSync(file, settings.map(([key, value]) => `${key}=${String(value)}\n`).join(''))
    return file
  }

  const tidemark = (stdin: string, ...args: string[]): Promise<CliResult> =>
    testCli({ directory: root, environment: {}, stdin }, ...args, '--config', propertiesOf())

  const run = async (
    changes: Readonly<Record<string, string | undefined>> = {},
  ): Promise<ProcessResult & { readonly ms: number }> => {
    const data = path.join(directory, `data-${String(files)}`)
    mkdirSync(data)
    const startedMs = performance.now()
    const args = ['src/cli/tidemark.js', 'run', 'jobs/reconcile.ts', '--config', propertiesOf(changes)]
    const result = await resultOf(startProcess(data, args))
    return { ...result, ms: performance.now() - startedMs }
  }

  it('reconciles with the right ones, and a keyspace that is missing is a dead letter that names it', async () => {
    for (const topic of ['input-topic', 'reconcile', 'reconcile-dlq']) {
      const created = await tidemark('', 'topic', 'create', topic, '--partitions', '2')
      expect(created).toMatchObject({ code: 0, err: '' })
    }
    const messages = [
      '{"keyspace":"shop","tableName":"items","pk":1,"payload":{"name":"one"}}',
      '{"keyspace":"shop","tableName":"items","pk":2,"payload":{"name":"two"}}',
      '{"keyspace":"nowhere","tableName":"items","pk":1,"payload":{"name":"one"}}',
    ]
    expect(await tidemark(messages.join('\n'), 'topic', 'write', 'input-topic')).toMatchObject({ code: 0 })

    const { code, out, err } = await run()
    expect({ code, err }).toMatchObject({ code: 0 })
    for (const secret of [passwords.kafka, passwords.cassandra]) expect(out + err).not.toContain(secret)
    const results = async (topic: string): Promise<string> => (await tidemark('', 'topic', 'read', topic)).out
    // A commit is acknowledged a moment before it can be read.
    await expect.poll(() => results('reconcile'), { timeout: 5_000 }).toMatch(/"NONE"[^]*"INSERT"|"INSERT"[^]*"NONE"/)
    await expect.poll(() => results('reconcile-dlq'), { timeout: 5_000 }).toContain('nowhere')
  }, 60_000)

  // Each mostly waits for its answer.
  it.concurrent.each([
    ['a wrong password for Kafka', { 'sasl.jaas.config': jaas(passwords.wrong) }, ['password', 'sasl.jaas.config']],
    ['no authority for Kafka', { 'ssl.truststore.location': undefined, 'ssl.truststore.type': undefined }, ['ssl.']],
    ['plain text to the TLS port of Kafka', { 'security.protocol': 'SASL_PLAINTEXT' }, ['TLS', 'security.protocol']],
    ['a wrong address of Kafka', { 'kafka.bootstrap.servers': '127.0.0.1:1' }, ['kafka.bootstrap.servers']],
    ['a topic that is not there', { 'reconcile.input.topic': 'inptu-topic' }, ['inptu-topic', 'topic create']],
    ['a wrong password for Cassandra', { 'cassandra.password': passwords.wrong }, ['cassandra.password']],
    ['no authority for Cassandra', { 'cassandra.tls.ca': undefined, 'cassandra.tls': 'true' }, ['cassandra.tls.ca']],
    ['plain text to the TLS port of Cassandra', { 'cassandra.tls.ca': undefined }, ['cassandra.tls=true']],
    ['a wrong address of Cassandra', { 'cassandra.contact.points': '127.0.0.1:1' }, ['cassandra.contact.points']],
    ['a wrong datacenter', { 'cassandra.local.datacenter': 'dc9' }, ['cassandra.local.datacenter', 'datacenter1']],
  ])(
    'says within 15 s what is wrong with %s, and what to do',
    async (_, changes, words) => {
      const { code, out, err, ms } = await run(changes)
      expect({ code, err }).toMatchObject({ code: expect.toSatisfy((status) => status === 2 || status === 3) })
      for (const word of words) expect(err).toContain(word)
      expect(ms).toBeLessThan(startLimitMs)
      for (const secret of Object.values(passwords)) expect(out + err).not.toContain(secret)
    },
    30_000,
  )

  it('says that a keyspace is missing where a command names one', async () => {
    const { code, err } = await tidemark('', 'table', 'read', 'nowhere.items')
    expect(code).not.toBe(0)
    expect(err).toContain('nowhere')
  })
})
