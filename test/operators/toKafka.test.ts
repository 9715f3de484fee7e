import { describe, expect, it } from 'vitest'
import { from, map, of } from 'rxjs'
import { toKafka, toKafkaTransactional, type ToKafkaOptions } from '../../operators/toKafka.ts'
import { DeadLetter } from '../../src/core/deadLetter.ts'
import { TidemarkError } from '../../src/core/errors.ts'
import { outputRefusal } from '../../src/core/outputRefusal.ts'
import { recordBytes, type OutputRecord, type StreamRecord } from '../../src/core/record.ts'
import { ManualClock } from '../../src/testing/world/manualClock.ts'
import { attemptStub } from '../support/attemptStub.ts'
import { sampleRecord } from '../support/sampleRecord.ts'

const header = ['h', Buffer.from('v')] as const

/** Runs one record through a sink with dead letters. */
async function send<V>(
  record: StreamRecord<V>,
  options: ToKafkaOptions<StreamRecord<V>> & { readonly value: (record: StreamRecord<V>) => Buffer | string | null },
  maxRecordBytes = 1_000,
) {
  const attempt = attemptStub({ maxRecordBytes })
  const deadLetters = attempt.sideOutput<DeadLetter>('dead-letters')
  const passed: unknown[] = []
  const sink = toKafka<StreamRecord<V>>(attempt.context, { onError: deadLetters, ...options })
  await of(record)
    .pipe(sink)
    .forEach((value) => passed.push(value))
  return { attempt, passed, dead: deadLetters.emitted, sent: attempt.sent }
}

describe('toKafkaTransactional', () => {
  it('sends key, value, headers and timestamp of the record, leaves the partition open, and passes the record on', async () => {
    const attempt = attemptStub()
    const record = sampleRecord('in', { key: 'k', headers: [header], timestamp: 12 }).withValue('über')
    const passed: unknown[] = []
    const options = { topic: 'reconcile', transactionalIdPrefix: 'reconcile-tx' }
    await of(record)
      .pipe(toKafkaTransactional(attempt.context, options))
      .forEach((value) => passed.push(value))
    expect(attempt.sent).toEqual([
      {
        topic: 'reconcile',
        partition: null,
        key: Buffer.from('k'),
        value: Buffer.from('über'),
        headers: [header],
        timestamp: 12,
      },
    ])
    expect(passed).toEqual([record])
    expect(attempt.sinks).toEqual([
      { topics: ['reconcile'], guarantee: 'exactly-once', transactionalIdPrefix: 'reconcile-tx' },
    ])
  })

  it('sends what its options say instead, also of a record whose value is no bytes', async () => {
    const { sent, attempt } = await send(sampleRecord('in').withValue({ n: 3 }), {
      topic: ({ value }) => `out-${String(value.n)}`,
      key: () => null,
      value: ({ value }) => JSON.stringify(value),
      headers: () => [header],
      timestamp: () => 5,
      partition: ({ value }) => value.n,
      guarantee: 'at-least-once',
    })
    expect(sent).toEqual([
      { topic: 'out-3', partition: 3, key: null, value: Buffer.from('{"n":3}'), headers: [header], timestamp: 5 },
    ])
    expect(attempt.sinks).toEqual([{ topics: [], guarantee: 'at-least-once', transactionalIdPrefix: null }])
  })

  it('sends tombstones and empty values as what they are', async () => {
    const attempt = attemptStub()
    const sink = toKafkaTransactional<StreamRecord>(attempt.context, { topic: 'out' })
    await from([sampleRecord(null), sampleRecord('')])
      .pipe(sink)
      .forEach(() => undefined)
    expect(attempt.sent.map(({ value }) => value)).toEqual([null, Buffer.alloc(0)])
  })

  it('makes a dead letter with the source bytes of an output that its topic does not take', async () => {
    const { dead, passed, sent, attempt } = await send(sampleRecord('in', { offset: 4 }), {
      topic: 'out',
      value: () => 'x'.repeat(1_001),
    })
    expect([passed, sent]).toEqual([[], []])
    expect(dead.map(({ error, offset, record }) => [error.code, offset, record.raw])).toEqual([
      ['record-too-large', 4, Buffer.from('in')],
    ])
    expect(attempt.tallies.get('dead-letters record-too-large')).toBe(1)
  })

  it('sends an output that is exactly as large as its topic takes', async () => {
    const { sent } = await send(sampleRecord('in', { key: 'k' }), { topic: 'out', value: () => 'x'.repeat(999) })
    expect(sent).toHaveLength(1)
  })

  it('cuts a dead letter to what its topic takes', async () => {
    const attempt = attemptStub({ maxRecordBytes: 2_000 })
    const letter = new DeadLetter(new TidemarkError('malformed-json', 'bad'), sampleRecord('y'.repeat(50_000)), 1)
    await of(letter)
      .pipe(toKafkaTransactional(attempt.context, { topic: 'dlq' }))
      .forEach(() => undefined)
    const [output] = attempt.sent
    if (output === undefined) throw new Error('nothing was sent')
    expect(recordBytes(output)).toBeLessThanOrEqual(2_000)
    expect(output.headers.map(([name]) => name)).toContain('original-sha256')
  })

  describe('a dead letter', () => {
    const now = 1_800_000_000_000
    const micros = 1_769_846_400_000_000

    /** What is sent of a dead letter to a topic that refuses it while `refusal` says so. */
    const sentOf = async (
      refusal: (record: OutputRecord) => TidemarkError | null,
      fields: Parameters<typeof sampleRecord>[1] = {},
    ): Promise<OutputRecord> => {
      const clock = new ManualClock(now)
      const attempt = attemptStub({ refusal, clock, maxRecordBytes: 1_000_000 })
      const letter = new DeadLetter(new TidemarkError('malformed-json', 'bad'), sampleRecord('text', fields), 1)
      await of(letter)
        .pipe(toKafkaTransactional(attempt.context, { topic: 'dlq' }))
        .forEach(() => undefined)
      const [sent] = attempt.sent
      if (sent === undefined) throw new Error('nothing was sent')
      return sent
    }
    const headerOf = ({ headers }: OutputRecord, name: string): string | undefined =>
      headers.find(([other]) => other === name)?.[1]?.toString()
    const timeOutside = (nowFits: boolean) => (record: OutputRecord) =>
      record.timestamp > 0 && (record.timestamp > now || !nowFits)
        ? outputRefusal.timeOutside('dlq', record.timestamp, 'a limit', nowFits)
        : null

    it('has the present time where its topic does not take that of the source, which a header tells', async () => {
      const sent = await sentOf(timeOutside(true), { timestamp: micros })
      expect(sent.timestamp).toBe(now)
      expect(headerOf(sent, 'original-timestamp')).toBe(String(micros))
      expect(JSON.parse(String(sent.value))).toMatchObject({ originalMessage: 'text', timestamp: micros })
    })

    it('has no time where the clock of the brokers is another one', async () => {
      const sent = await sentOf(timeOutside(false), { timestamp: micros })
      expect([sent.timestamp, headerOf(sent, 'original-timestamp')]).toEqual([-1, String(micros)])
    })

    it('has no such header where it has the time of its source', async () => {
      expect(headerOf(await sentOf(() => null, { timestamp: 12 }), 'original-timestamp')).toBeUndefined()
    })

    it('has its position as key where its topic is compacted and its source has none', async () => {
      const refusal = ({ key }: OutputRecord) => (key === null ? outputRefusal.noKey('dlq') : null)
      expect((await sentOf(refusal, { offset: 4 })).key?.toString()).toBe('input-topic 0@4')
      expect((await sentOf(refusal, { key: 'k' })).key?.toString()).toBe('k')
    })

    it('is sent bare where nothing else helps, and fails the epoch with its position where nothing does', async () => {
      const fields = { key: 'k', headers: [header], timestamp: 12, offset: 4 }
      const refused = new TidemarkError('invalid-output', 'Kafka does not say why')
      const isBare = ({ headers }: OutputRecord) => headers.every(([name]) => name !== 'h')
      const sent = await sentOf((record) => (isBare(record) ? null : refused), fields)
      expect([sent.key?.toString(), sent.timestamp, headerOf(sent, 'source-offset')]).toEqual([
        'input-topic 0@4',
        -1,
        '4',
      ])
      expect(headerOf(sent, 'original-sha256')).toMatch(/^[0-9a-f]{64}$/)
      await expect(sentOf(() => refused, fields)).rejects.toMatchObject({
        code: 'invalid-output',
        message: expect.stringMatching(/^input-topic 0@4: Kafka does not say why/),
      })
    })

    it('ends its search for a form also where an option overrides what it changes', async () => {
      const refusal = (record: OutputRecord) => outputRefusal.timeOutside('dlq', record.timestamp, 'a limit', true)
      await expect(sentOf(refusal)).rejects.toMatchObject({ code: 'invalid-output' })
      const tooLarge = (record: OutputRecord) => outputRefusal.tooLarge('dlq', recordBytes(record), 10)
      await expect(sentOf(tooLarge)).rejects.toMatchObject({ code: 'record-too-large' })
    })
  })

  it.each<[string, Partial<ToKafkaOptions<StreamRecord>>]>([
    ['topic', { topic: () => 'no topic' }],
    ['topic', { topic: () => '' }],
    ['partition', { partition: () => -1 }],
    ['partition', { partition: () => 0.5 }],
    ['timestamp', { timestamp: () => Number.NaN }],
    ['timestamp', { timestamp: () => -2 }],
    ['key', { key: () => 'half \uD800' }],
    ['value', { value: () => '\uDC00' }],
  ])('refuses an output whose %s no log can take: %j', async (field, options) => {
    const { dead, sent } = await send(sampleRecord('in'), { topic: 'out', value: () => 'v', ...options })
    expect(sent).toEqual([])
    expect(dead.map(({ error }) => [error.code, error.details['field']])).toEqual([['invalid-output', field]])
  })

  it('makes a dead letter of an output for a partition that its topic does not have', async () => {
    const attempt = attemptStub({ partitions: 4 })
    const deadLetters = attempt.sideOutput<DeadLetter>('dead-letters')
    const options = { topic: 'out', onError: deadLetters }
    await from([4, 3])
      .pipe(
        map((partition) => sampleRecord(String(partition))),
        toKafkaTransactional(attempt.context, { ...options, partition: ({ raw }) => Number(raw?.toString()) }),
      )
      .forEach(() => undefined)
    expect(attempt.sent.map(({ partition }) => partition)).toEqual([3])
    expect(deadLetters.emitted.map(({ error, record }) => [error.code, error.message, record.raw])).toEqual([
      ['invalid-output', expect.stringContaining('Topic out has no partition 4'), Buffer.from('4')],
    ])
  })

  it('fails the epoch where there is no onError, or the element is no record of a topic', () => {
    const attempt = attemptStub({ maxRecordBytes: 10 })
    const errors: unknown[] = []
    const error = (thrown: unknown): number => errors.push(thrown)
    const large = sampleRecord('12345678901', { offset: 9 })
    of(large)
      .pipe(toKafkaTransactional(attempt.context, { topic: 'out' }))
      .subscribe({ error })
    of(large)
      .pipe(
        map(({ key, value, headers, timestamp }) => ({ key, value, headers, timestamp })),
        toKafkaTransactional(attempt.context, { topic: 'out', onError: attempt.sideOutput<DeadLetter>('dead') }),
      )
      .subscribe({ error })
    expect(errors).toMatchObject([
      { code: 'record-too-large', message: expect.stringContaining('input-topic 0@9') },
      { code: 'record-too-large' },
    ])
  })

  it('masks what is secret in the error of a dead letter, also where the job writes the letter itself', () => {
    const secret = 'hunter2-hunter2'
    const attempt = attemptStub({ mask: (text) => text.replaceAll(secret, '***'), maxRecordBytes: 900 })
    const quoting = new TidemarkError('lookup-failed', `${'x'.repeat(80)} no login with ${secret} ${'y'.repeat(2000)}`)
    const letter = new DeadLetter(quoting, sampleRecord(`{"own":"${secret}"}`), 1)
    of(letter)
      .pipe(toKafkaTransactional(attempt.context, { topic: 'dead' }))
      .subscribe()
    const unbounded = attemptStub({ mask: (text) => text.replaceAll(secret, '***') })
    of(letter)
      .pipe(
        toKafkaTransactional(unbounded.context, { topic: 'dead' }),
        toKafkaTransactional(unbounded.context, { topic: 'own', value: ({ error }) => error.message }),
      )
      .subscribe()
    expect(JSON.parse(String(unbounded.sent[0]?.value))).toMatchObject({
      error: expect.stringContaining('no login with *** y'),
      // What the message itself holds is its own.
      originalMessage: `{"own":"${secret}"}`,
    })
    expect(String(unbounded.sent[1]?.value)).toContain('no login with *** y')
    // Masked before it is cut: half of a secret would stay.
    expect(attempt.sent.map(({ value }) => String(value))).toEqual([expect.not.stringContaining('hunter2')])
    expect(letter.error).toBe(quoting)
  })

  it.each([
    [{ topic: 'a/b' }, 'topic'],
    [{ topic: 'a', transactionalIdPrefix: '' }, 'transactionalIdPrefix'],
    [{ topic: 'a', guarantee: 'exactly once' }, 'guarantee'],
  ])('refuses %j when the pipeline is built', (options, option) => {
    for (const sink of [toKafka, toKafkaTransactional]) {
      const build = (): unknown => sink(attemptStub().context, options as ToKafkaOptions<StreamRecord>)
      expect(build).toThrow(`${sink.name}: option ${option} must be `)
    }
  })

  it('is exactly once under its other name, whatever a job in JavaScript asks for', () => {
    const options: ToKafkaOptions<StreamRecord> = { topic: 'a', guarantee: 'none' }
    expect(() => toKafkaTransactional(attemptStub().context, options)).toThrow(
      "for example toKafka with guarantee: 'at-l",
    )
    const attempt = attemptStub()
    toKafka(attempt.context, options)
    toKafkaTransactional(attempt.context, { topic: 'a' })
    expect(attempt.steps.map(({ spec }) => [spec.kind, spec.details?.['guarantee']])).toEqual([
      ['toKafka', 'none'],
      ['toKafkaTransactional', 'exactly-once'],
    ])
  })
})
