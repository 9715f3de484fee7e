import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { Kafka, logLevel, type SASLOptions } from 'kafkajs'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { startKafka, type RunningKafka } from './kafkaServer.ts'
import { runKafkaTool } from './kafkaTool.ts'
import { liveBrokers, makeTopics } from './kafkaWire.ts'
import { describeWithServers } from '../support/realServers.ts'

const user = { name: 'alice', password: 'alice-secret' }
const startMs = 600_000

describeWithServers('Kafka from jars', ['java'], () => {
  let kafka: RunningKafka
  let dataDir = ''

  beforeAll(async () => {
    dataDir = mkdtempSync(join(tmpdir(), 'tidemark-kafka-test-'))
    kafka = await startKafka({ dataDir, secure: { users: [user] } })
  }, startMs)

  afterAll(async () => {
    await kafka.stop()
    rmSync(dataDir, { recursive: true, force: true })
  })

  it('makes topics once, with their settings, and says why one is refused', async () => {
    const topic = { name: 'orders', partitions: 3, config: { 'max.message.bytes': '2000' } }
    expect(await makeTopics(kafka.address, [topic])).toEqual(['orders'])
    expect(await makeTopics(kafka.address, [topic])).toEqual([])
    await expect(makeTopics(kafka.address, [{ ...topic, name: 'a b' }])).rejects.toThrow(/refused topics: a b: .+/)
    const described = await runKafkaTool('org.apache.kafka.tools.TopicCommand', [
      ...['--bootstrap-server', kafka.address, '--describe', '--topic', 'orders'],
    ])
    expect(described).toMatch(/PartitionCount: 3.*max\.message\.bytes=2000/)
  })

  it('keeps its topics over kill -9 and over a restart in order', async () => {
    await makeTopics(kafka.address, [{ name: 'kept', partitions: 1, config: {} }])
    const killed = kafka.pid
    await kafka.kill9()
    await expect(liveBrokers(kafka.address)).rejects.toThrow('ECONNREFUSED')
    await kafka.restart()
    expect(kafka.pid).not.toBe(killed)
    await kafka.restart()
    expect(await makeTopics(kafka.address, [{ name: 'kept', partitions: 1, config: {} }])).toEqual([])
  }, 120_000)

  it('answers nothing while it is frozen, and then what it was asked meanwhile', async () => {
    kafka.freeze()
    // On a busy machine it takes a moment until every thread has stopped.
    await wait(200)
    let answered = false
    const answer = liveBrokers(kafka.address).finally(() => {
      answered = true
    })
    answer.catch(() => undefined)
    await wait(500)
    const early = answered
    // The tests that follow need it again, whatever this one has found.
    kafka.thaw()
    expect(early).toBe(false)
    expect(await answer).toEqual([1])
  })

  it.each<SASLOptions>([
    { mechanism: 'plain', username: user.name, password: user.password },
    { mechanism: 'scram-sha-256', username: user.name, password: user.password },
    { mechanism: 'scram-sha-512', username: user.name, password: user.password },
    { mechanism: 'oauthbearer', oauthBearerProvider: () => Promise.resolve({ value: unsignedToken() }) },
  ])('lets its user in by $mechanism over TLS', async (sasl) => {
    expect(await clusterSize(sasl)).toBe(1)
  })

  it('lets nobody in with a wrong password', async () => {
    const wrong = { mechanism: 'plain', username: user.name, password: 'guess' } as const
    await expect(clusterSize(wrong)).rejects.toThrow('Authentication failed')
  })

  async function clusterSize(sasl: SASLOptions): Promise<number> {
    const { address, caFile } = kafka.secure ?? expect.unreachable()
    const client = new Kafka({
      brokers: [address],
      ssl: { ca: [readFileSync(caFile, 'utf8')] },
      sasl,
      logLevel: logLevel.NOTHING,
      retry: { retries: 0 },
    })
    const admin = client.admin()
    try {
      await admin.connect()
      const { brokers } = await admin.describeCluster()
      return brokers.length
    } finally {
      await admin.disconnect()
    }
  }
})

function unsignedToken(): string {
  const part = (claims: object): string => Buffer.from(JSON.stringify(claims)).toString('base64url')
  const now = Math.floor(Date.now() / 1000)
  return `${part({ alg: 'none' })}.${part({ sub: user.name, iat: now, exp: now + 60 })}.`
}
