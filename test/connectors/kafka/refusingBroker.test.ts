import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { systemClock } from '../../../src/core/ports/clock.ts'
import type { DeadLetter } from '../../../src/core/deadLetter.ts'
import type { StreamRecord } from '../../../src/core/record.ts'
import type { Guarantee } from '../../../src/core/ports/outputs.ts'
import { kafkaConfig, type KafkaConfig } from '../../../src/connectors/kafka/config/kafkaConfig.ts'
import { startKafka, type RunningKafka, type SecureKafka } from '../../servers/kafkaServer.ts'
import { runKafkaTool } from '../../servers/kafkaTool.ts'
import { fromKafka } from '../../../operators/fromKafka.ts'
import { sideOutput } from '../../../operators/sideOutput.ts'
import { toKafka, toKafkaTransactional } from '../../../operators/toKafka.ts'
import type { RunningJob } from '../../../src/runtime/job/startJob.ts'
import { describeWithServers } from '../../support/realServers.ts'
import { TestLog, startKafkaJob, until } from './kafkaJob.ts'
import { decodeKafkaSettings } from './kafkaSettingsOf.ts'
import { KafkaWorld, testConfig, uniqueName } from './kafkaWorld.ts'
import { allowAgain, forbid } from './topicAccess.ts'

const user = { name: 'reconcile', password: 'right-1' }
const times = { intervalMs: 1_000, minPauseMs: 0, timeoutMs: 10_000, longestWaitMs: 0 }
const numbers = (count: number, from = 0): readonly string[] =>
  Array.from({ length: count }, (_, index) => String(from + index))

describeWithServers('a broker that refuses a user or slows a client down', ['java'], () => {
  let kafka: RunningKafka
  let secure: SecureKafka
  let world: KafkaWorld

  beforeAll(async () => {
    kafka = await startKafka({
      secure: { users: [user] },
      properties: {
        'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
        'super.users': 'User:ANONYMOUS',
        'allow.everyone.if.no.acl.found': 'true',
      },
    })
    if (kafka.secure === undefined) throw new Error('no secure listener')
    secure = kafka.secure
  }, 300_000)
  afterAll(() => kafka.kill9())
  beforeEach(() => {
    world = new KafkaWorld(kafka.address)
  })
  afterEach(() => world.close())

  const configOfUser = (): KafkaConfig => {
    const settings = decodeKafkaSettings({
      'security.protocol': 'SASL_SSL',
      'sasl.mechanism': 'PLAIN',
      'sasl.jaas.config': `org.apache.kafka.common.security.plain.PlainLoginModule required username='${user.name}' password='${user.password}';`,
      'ssl.truststore.location': secure.caFile,
      'ssl.truststore.type': 'PEM',
    })
    const config = testConfig(secure.address, { requestTimeoutMs: 5_000 })
    const { tls, sasl } = kafkaConfig(config.bootstrapServers, settings, times, systemClock)
    return { ...config, tls, sasl }
  }

  const start = (
    { input, dlq, topicOf }: { input: string; dlq: string; topicOf: (record: StreamRecord) => string },
    { name, guarantee, log = new TestLog() }: { name: string; guarantee: Guarantee; log?: TestLog },
    topic: string | null,
  ): RunningJob =>
    startKafkaJob(
      (context) => {
        const deadLetters = sideOutput<DeadLetter>(context, 'dead-letters')
        return [
          fromKafka(context, { topic: input, groupId: `${input}-group` }).pipe(
            toKafka(context, { topic: topic ?? topicOf, guarantee, onError: deadLetters }),
          ),
          deadLetters.records$.pipe(toKafkaTransactional(context, { topic: dlq, name: 'dead-letter-topic' })),
        ]
      },
      { name, config: configOfUser(), follow: true, restart: { strategy: 'none' }, logger: log },
    )

  describe.each(['exactly-once', 'at-least-once'] as const)('%s', (guarantee) => {
    it('stops by name when the user may not write the output any more, and goes on where it was', async () => {
      const [input, output, dlq, name] = [
        uniqueName('input'),
        uniqueName('output'),
        uniqueName('dlq'),
        uniqueName('job'),
      ]
      for (const topic of [input, output, dlq]) await world.createTopic(topic, 1)
      const topics = { input, dlq, topicOf: () => output }
      const first = start(topics, { name, guarantee }, output)
      await world.appendTexts(input, 0, numbers(50))
      await until('it has begun', async () => (await world.readValues(output, 1)).length >= 50)
      await forbid(world.cluster, { user: user.name, operation: 'Write', topic: output })
      await world.appendTexts(input, 0, numbers(50, 50))
      await expect(first.finished).rejects.toMatchObject({
        code: 'not-authorized',
        message: expect.stringMatching(new RegExp(`${output}.*WRITE and DESCRIBE on its outputs`, 's')),
      })
      await allowAgain(world.cluster, { user: user.name, operation: 'Write', topic: output })
      const second = start(topics, { name, guarantee }, output)
      await until('it has gone on', async () => new Set(await world.readValues(output, 1)).size >= 100, 60_000)
      second.stop()
      await second.finished
      const values = await world.readValues(output, 1)
      expect(guarantee === 'exactly-once' ? values : [...new Set(values)]).toEqual(numbers(100))
      expect(await world.readValues(dlq, 1)).toEqual([])
    }, 120_000)

    it.each(guarantee === 'exactly-once' ? (['Write', 'Describe'] as const) : (['Write'] as const))(
      'makes dead letters of records for a topic that they have chosen and that denies %s',
      async (operation) => {
        const [input, output, dlq, name] = [
          uniqueName('input'),
          uniqueName('output'),
          uniqueName('dlq'),
          uniqueName('job'),
        ]
        const denied = uniqueName('denied')
        for (const topic of [input, output, dlq, denied]) await world.createTopic(topic, 1)
        await forbid(world.cluster, { user: user.name, operation, topic: denied })
        const log = new TestLog()
        const topicOf = ({ raw }: StreamRecord): string => (Number(String(raw)) % 10 === 0 ? denied : output)
        const job = start({ input, dlq, topicOf }, { name, guarantee, log }, null)
        await world.appendTexts(input, 0, numbers(50))
        await until('all are through', async () => {
          const [outputs, dead] = [await world.readValues(output, 1), await world.readAll(dlq, 0)]
          return new Set(outputs).size + dead.length >= 50
        })
        job.stop()
        await job.finished
        const isDenied = (value: string): boolean => Number(value) % 10 === 0
        expect([...new Set(await world.readValues(output, 1))]).toEqual(numbers(50).filter((value) => !isDenied(value)))
        const dead = await world.readAll(dlq, 0)
        expect(dead.map(({ headers }) => headers.find(([header]) => header === 'error-code')?.[1]?.toString())).toEqual(
          Array.from({ length: 5 }, () => 'invalid-output'),
        )
        expect(String(dead[0]?.raw)).toContain(denied)
        expect(await world.readValues(denied, 1)).toEqual([])
        expect(log.lines.filter(({ message }) => message.includes('will be replayed'))).toEqual([])
      },
      120_000,
    )
  })

  it('goes on slowly, and loses nothing, where the brokers slow its writes down', async () => {
    const [input, output, dlq, name] = [uniqueName('input'), uniqueName('output'), uniqueName('dlq'), uniqueName('job')]
    for (const topic of [input, output, dlq]) await world.createTopic(topic, 1)
    const clientId = uniqueName('slow')
    await runKafkaTool('kafka.admin.ConfigCommand', [
      '--bootstrap-server',
      kafka.address,
      '--alter',
      '--add-config',
      'producer_byte_rate=100000',
      '--entity-type',
      'clients',
      '--entity-name',
      clientId,
    ])
    const values = numbers(700).map((value) => value.padEnd(1_000, '.'))
    await world.appendTexts(input, 0, values)
    const startedMs = performance.now()
    const job = startKafkaJob(
      (context) => {
        const deadLetters = sideOutput<DeadLetter>(context, 'dead-letters')
        return [
          fromKafka(context, { topic: input, groupId: `${input}-group` }).pipe(
            toKafkaTransactional(context, { topic: output, onError: deadLetters }),
          ),
          deadLetters.records$.pipe(toKafkaTransactional(context, { topic: dlq, name: 'dead-letter-topic' })),
        ]
      },
      { name, config: { ...testConfig(kafka.address), clientId }, restart: { strategy: 'none' } },
    )
    await job.finished
    await until('the last commit is visible', async () => (await world.readValues(output, 1)).length >= values.length)
    expect(await world.readValues(output, 1)).toEqual(values)
    expect(await world.readValues(dlq, 1)).toEqual([])
    // It was slowed down, else this test shows nothing.
    expect(performance.now() - startedMs).toBeGreaterThan(5_000)
  }, 180_000)
})
