import { randomBytes } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { fromKafka } from '../../../operators/fromKafka.ts'
import { sideOutput } from '../../../operators/sideOutput.ts'
import { toKafka, toKafkaTransactional } from '../../../operators/toKafka.ts'
import type { DeadLetter } from '../../../src/core/deadLetter.ts'
import type { OutputRecord, StreamRecord } from '../../../src/core/record.ts'
import type { Guarantee } from '../../../src/core/ports/outputs.ts'
import type { CompressionType } from '../../../src/connectors/kafka/protocol/compression.ts'
import { describeWithServers } from '../../support/realServers.ts'
import { TestLog, startKafkaJob, until } from './kafkaJob.ts'
import { KafkaWorld, testConfig, uniqueName } from './kafkaWorld.ts'

/** A record that a job copies, and the code of the dead letter it must become; null: an output. */
interface Hostile {
  readonly what: string
  readonly key?: Buffer | null
  readonly value?: Buffer | null
  readonly timestamp?: number
  readonly headers?: OutputRecord['headers']
  readonly code: string | null
}

interface World {
  readonly output?: Readonly<Record<string, string>>
  readonly dlq?: Readonly<Record<string, string>>
  readonly compression?: CompressionType
  readonly guarantee?: Guarantee
  /** Changes the output topic once the job knows it. */
  readonly meanwhile?: Readonly<Record<string, string>>
  /** The topic of a record, where it is not the output topic. */
  readonly topicOf?: (record: StreamRecord, output: string) => string
}

const now = Date.now()
const probe = 'probe'
const key = Buffer.from('k')
const anyTime = { 'message.timestamp.after.max.ms': '9223372036854775807' }

describeWithServers('hostile records on a real Kafka', ['kafka'], (servers) => {
  let world: KafkaWorld

  beforeEach(() => {
    world = new KafkaWorld(servers.kafka())
  })
  afterEach(() => world.close())

  /** Whether the broker refuses such a record now; else it is in the topic, marked as a probe. */
  const isRefused = (record: Partial<OutputRecord> & { readonly topic: string }): Promise<boolean> =>
    world
      .append([
        {
          partition: 0,
          key: null,
          value: null,
          timestamp: now,
          ...record,
          headers: [...(record.headers ?? []), [probe, null]],
        },
      ])
      .then(
        () => false,
        () => true,
      )

  /** Copies the records by a job, holds what has come out against them, contents and not keys only, and counts it. */
  const copied = async (
    records: readonly Hostile[],
    options: World = {},
  ): Promise<readonly [outputs: number, deadLetters: number]> => {
    const { compression = 'none', guarantee = 'exactly-once', topicOf } = options
    const [input, output, dlq] = [uniqueName('input'), uniqueName('output'), uniqueName('dlq')]
    await world.createTopic(input, 1, { ...anyTime, 'max.message.bytes': '20000000' })
    await world.createTopic(output, 1, options.output)
    await world.createTopic(dlq, 1, options.dlq)
    const log = new TestLog()
    const job = startKafkaJob(
      (context) => {
        const deadLetters = sideOutput<DeadLetter>(context, 'dead-letters')
        return [
          fromKafka(context, { topic: input, groupId: `${input}-group` }).pipe(
            toKafka(context, {
              topic: topicOf === undefined ? output : (record) => topicOf(record, output),
              guarantee,
              onError: deadLetters,
            }),
          ),
          deadLetters.records$.pipe(toKafkaTransactional(context, { topic: dlq, name: 'dead-letter-topic' })),
        ]
      },
      {
        name: uniqueName('job'),
        config: testConfig(servers.kafka(), { compression }),
        restart: { strategy: 'none' },
        follow: true,
        logger: log,
      },
    )
    let failure: Error | null = null
    job.finished.catch((error: unknown) => {
      failure = error instanceof Error ? error : new Error(String(error))
    })
    await until('the job runs', () => log.lines.some(({ message }) => message.startsWith('Joined')) || failure !== null)
    const sent = records.map((record, index) => ({
      topic: input,
      partition: 0,
      key: record.key === undefined ? key : record.key,
      value: record.value === undefined ? Buffer.from(`value ${String(index)}`) : record.value,
      headers: record.headers ?? [],
      timestamp: record.timestamp ?? now,
    }))
    if (options.meanwhile !== undefined) {
      await world.alterTopic(output, options.meanwhile)
      const refused = sent.find((_, index) => records[index]?.code !== null)
      await until('the broker has taken the setting over', () => isRefused({ ...refused, topic: output }))
    }
    for (const record of sent) await world.append([record])
    const sources = await world.readAll(input, 0)
    const read = async () => ({ outputs: await world.readAll(output, 0), dead: await world.readAll(dlq, 0) })
    await until(
      'each record has led to something',
      async () => {
        if (failure !== null) throw failure
        const { outputs: all, dead } = await read()
        const outputs = all.filter(({ headers }) => !headers.some(([name]) => name === probe))
        return new Set(outputs.map(contentOf)).size + dead.length >= new Set(sources.map(contentOf)).size
      },
      60_000,
    )
    job.stop()
    await job.finished
    const { outputs: all, dead } = await read()
    const outputs = all.filter(({ headers }) => !headers.some(([name]) => name === probe))
    const expected = records.flatMap(({ code }, index) => {
      const source = sources[index]
      return code === null && source !== undefined ? [contentOf(source)] : []
    })
    const found = outputs.map(contentOf)
    // What is sent at least once may come again with a replay, and in no other way.
    expect(guarantee === 'exactly-once' ? found : [...new Set(found)]).toEqual(expected)
    const letters = dead.map((record) => ({
      code: headerOf(record, 'error-code'),
      offset: Number(headerOf(record, 'source-offset')),
    }))
    expect(letters.toSorted((a, b) => a.offset - b.offset)).toEqual(
      records.flatMap(({ code }, offset) => (code === null ? [] : [{ code, offset }])),
    )
    for (const letter of dead) {
      const source = sources[Number(headerOf(letter, 'source-offset'))]
      if (source === undefined) throw new Error('a dead letter of nothing')
      expectLetterOf(letter, source)
    }
    expect(log.lines.filter(({ message }) => message.includes('will be replayed'))).toEqual([])
    const isToldByBroker = log.lines.some(({ message }) => message.startsWith('The log does not take some records'))
    if (options.meanwhile !== undefined) expect(isToldByBroker).toBe(true)
    return [new Set(found).size, dead.length]
  }

  const expectLetterOf = (letter: StreamRecord, source: StreamRecord): void => {
    const { originalMessage, timestamp } = JSON.parse(String(letter.raw)) as {
      originalMessage: string | null
      timestamp: number
    }
    expect(timestamp).toBe(source.timestamp)
    const text =
      source.raw === null
        ? null
        : source.raw.toString(headerOf(letter, 'original-encoding') === 'base64' ? 'base64' : 'utf8')
    if (headerOf(letter, 'original-bytes') === undefined) expect(originalMessage).toBe(text)
    else {
      expect(headerOf(letter, 'original-bytes')).toBe(String(source.raw?.length))
      // The last character of base64 depends on what follows.
      expect(text?.startsWith((originalMessage ?? '').replace(/.?=*$/, ''))).toBe(true)
    }
    if (source.key !== null) expect(letter.key).toEqual(source.key)
    const changed = headerOf(letter, 'original-timestamp')
    if (changed === undefined) expect(letter.timestamp).toBe(source.timestamp)
    else {
      expect(changed).toBe(String(source.timestamp))
      expect(letter.timestamp === -1 || Math.abs(letter.timestamp - Date.now()) < 600_000).toBe(true)
    }
  }

  const micros = now * 1000
  const times: readonly Hostile[] = [
    { what: 'the present', code: null },
    { what: 'microseconds', timestamp: micros, code: 'invalid-output' },
    { what: 'no time', timestamp: -1, code: null },
    { what: 'a negative time, which is read as none', timestamp: -5_000, code: null },
    { what: 'the beginning of time', timestamp: 0, code: 'invalid-output' },
    { what: 'yesterday', timestamp: now - 86_400_000, code: 'invalid-output' },
    { what: 'tomorrow', timestamp: now + 86_400_000, code: 'invalid-output' },
    { what: 'the end of time', timestamp: 8_640_000_000_000_000, code: 'invalid-output' },
    { what: 'microseconds and no UTF-8', timestamp: micros, value: Buffer.from([0xff, 0xfe]), code: 'invalid-output' },
    {
      what: 'microseconds and a header like ours',
      timestamp: micros,
      headers: [['epoch', Buffer.from('7')]],
      code: 'invalid-output',
    },
    { what: 'a tombstone of the future', timestamp: micros, value: null, code: 'invalid-output' },
    { what: 'a last good one', code: null },
  ]
  const anHour = { 'message.timestamp.before.max.ms': '3600000', 'message.timestamp.after.max.ms': '3600000' }

  describe.each(['exactly-once', 'at-least-once'] as const)('%s', (guarantee) => {
    it('with times that neither the output nor the dead letters may have', async () => {
      expect(await copied(times, { output: anHour, dlq: anHour, guarantee })).toEqual([4, 8])
    })

    it('with times, where the limits come while the job runs', async () => {
      expect(await copied(times, { dlq: anHour, meanwhile: anHour, output: anyTime, guarantee })).toEqual([4, 8])
    })

    it('without keys, to compacted topics', async () => {
      expect(
        await copied(
          [
            { what: 'a key', code: null },
            { what: 'no key', key: null, code: 'invalid-output' },
            { what: 'an empty key', key: Buffer.alloc(0), code: null },
            { what: 'a tombstone', value: null, code: null },
            { what: 'no key and a time of the future', key: null, timestamp: micros, code: 'invalid-output' },
            { what: 'no key and no value', key: null, value: null, code: 'invalid-output' },
            { what: 'a last good one', key: Buffer.from('l'), code: null },
          ],
          { output: { 'cleanup.policy': 'compact', ...anyTime }, dlq: { 'cleanup.policy': 'compact' }, guarantee },
        ),
      ).toEqual([4, 3])
    })

    it('without keys, where the output becomes compacted while the job runs', async () => {
      expect(
        await copied(
          Array.from({ length: 30 }, (_, index) => ({
            what: String(index),
            key: index % 3 === 0 ? null : key,
            code: index % 3 === 0 ? 'invalid-output' : null,
          })),
          { meanwhile: { 'cleanup.policy': 'compact' }, guarantee },
        ),
      ).toEqual([20, 10])
    })

    it('for topics that they choose and that do not exist', async () => {
      expect(
        await copied(
          Array.from({ length: 30 }, (_, index) => ({
            what: String(index),
            code: index % 3 === 0 ? 'invalid-output' : null,
          })),
          {
            topicOf: ({ offset }, output) => (offset % 3 === 0 ? `nowhere-${output}-${String(offset)}` : output),
            guarantee,
          },
        ),
      ).toEqual([20, 10])
    })
  })

  it('with any time, to topics whose brokers stamp the records', async () => {
    const stamped = { 'message.timestamp.type': 'LogAppendTime' }
    const [input, output] = [uniqueName('input'), uniqueName('output')]
    await world.createTopic(input, 1, anyTime)
    await world.createTopic(output, 1, stamped)
    const values = times.map((_, index) => `value ${String(index)}`)
    for (const [index, { timestamp = now }] of times.entries()) {
      await world.append([
        { topic: input, partition: 0, key: null, value: Buffer.from(values[index] ?? ''), headers: [], timestamp },
      ])
    }
    await startKafkaJob(
      (context) =>
        fromKafka(context, { topic: input, groupId: `${input}-group` }).pipe(
          toKafkaTransactional(context, { topic: output }),
        ),
      { name: uniqueName('job'), config: testConfig(servers.kafka()) },
    ).finished
    await until('the commit is visible', async () => (await world.readValues(output, 1)).length === values.length)
    expect(await world.readValues(output, 1)).toEqual(values)
  })

  describe.each(['none', 'gzip', 'zstd'] as const)('with compression %s', (compression) => {
    const limit = 100_000
    /** What a record may have besides its key of one byte, so that its batch is just as large as the topic takes. */
    const most = limit - 97 - 1
    const fits = compression === 'none' ? 'record-too-large' : null

    it('at the limit of the output and of the dead letters, and beyond', async () => {
      expect(
        await copied(
          [
            { what: 'noise at the limit', value: randomBytes(most), code: null },
            { what: 'noise beyond it', value: randomBytes(limit + 1), code: 'record-too-large' },
            { what: 'text at the limit', value: Buffer.alloc(most, 'a'), code: null },
            { what: 'text beyond it', value: Buffer.alloc(limit + 1, 'b'), code: fits },
            { what: 'much text', value: Buffer.alloc(2_000_000, 'c'), code: fits },
            { what: 'much noise', value: randomBytes(2_000_000), code: 'record-too-large' },
            {
              what: 'many headers',
              value: Buffer.alloc(1),
              headers: Array.from({ length: 9_000 }, (_, n) => [`h${String(n)}`, randomBytes(16)] as const),
              code: 'record-too-large',
            },
            { what: 'a last good one', code: null },
          ],
          { output: { 'max.message.bytes': String(limit) }, dlq: { 'max.message.bytes': '20000' }, compression },
        ),
      ).toEqual(compression === 'none' ? [3, 5] : [5, 3])
    })

    it('where the limit is lowered while the job runs', async () => {
      expect(
        await copied(
          Array.from({ length: 40 }, (_, index) => ({
            what: String(index),
            value: randomBytes(index % 4 === 0 ? 5_000 : 500),
            code: index % 4 === 0 ? 'record-too-large' : null,
          })),
          { meanwhile: { 'max.message.bytes': '2000' }, compression },
        ),
      ).toEqual([30, 10])
    })
  })
})

function headerOf({ headers }: StreamRecord, name: string): string | undefined {
  return headers.find(([other]) => other === name)?.[1]?.toString()
}

/** All that a copy has of its source. */
function contentOf({ key: ofRecord, raw, headers, timestamp }: StreamRecord): string {
  return JSON.stringify([
    ofRecord?.toString('base64') ?? null,
    raw?.toString('base64') ?? null,
    headers.map(([name, value]) => [name, value?.toString('base64') ?? null]),
    timestamp,
  ])
}
