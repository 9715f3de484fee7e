import { describe, expect, it } from 'vitest'
import type { OpenTransaction } from '../../../../src/connectors/kafka/doctor/findOpenTransaction.ts'
import { judgeKafka, judgeTransactions, type KafkaNeeds } from '../../../../src/connectors/kafka/doctor/judgeKafka.ts'
import type { KafkaFacts, KafkaTopicFacts } from '../../../../src/connectors/kafka/doctor/kafkaFacts.ts'

const topic = (name: string, fields: Partial<KafkaTopicFacts> = {}): KafkaTopicFacts => ({
  name,
  partitions: 4,
  replicas: 3,
  underReplicated: 0,
  leaderless: 0,
  config: new Map([['min.insync.replicas', '2']]),
  ...fields,
})

const good: KafkaFacts = {
  clusterId: 'c1',
  brokers: 3,
  isCurrent: true,
  config: new Map([
    ['transaction.max.timeout.ms', '900000'],
    ['transaction.state.log.replication.factor', '3'],
    ['transaction.state.log.min.isr', '2'],
    ['group.min.session.timeout.ms', '6000'],
    ['group.max.session.timeout.ms', '1800000'],
  ]),
  topics: [topic('in'), topic('out')],
  missingTopics: ['job-source-changelog'],
  group: { state: 'Dead', members: [] },
}
const times = { transactionTimeoutMs: 90_000, sessionTimeoutMs: 15_000 }
const needs: KafkaNeeds = {
  job: 'job',
  groupId: 'group',
  inputs: ['in'],
  outputs: ['out', 'dlq'],
  deadLetters: ['dlq'],
  copartitioned: false,
  changelog: 'job-source-changelog',
}

const bad = (facts: Partial<KafkaFacts>, more: Partial<KafkaNeeds & typeof times> = {}) =>
  judgeKafka({ ...good, ...facts }, { ...times, ...more }, { ...needs, ...more }).filter(({ level }) => level !== 'ok')

/** An output topic with these settings. */
const withOutput = (name: string, settings: Readonly<Record<string, string>>): Partial<KafkaFacts> => ({
  topics: [
    topic('in', {
      config: new Map([
        ['min.insync.replicas', '2'],
        ['max.message.bytes', '2000000'],
      ]),
    }),
    topic(name, { config: new Map([['min.insync.replicas', '2'], ...Object.entries(settings)]) }),
  ],
})

describe('the doctor of Kafka', () => {
  it.each<[string, Readonly<Record<string, string>>, RegExp]>([
    ['out', { 'cleanup.policy': 'compact' }, /out is compacted: .*without a key becomes a dead letter/],
    ['dlq', { 'cleanup.policy': 'compact,delete' }, /dlq takes dead letters and is compacted: .*only the last is kept/],
    [
      'out',
      { 'message.timestamp.before.max.ms': '604800000' },
      /out takes times within message.timestamp.before.max.ms=604800000/,
    ],
    ['out', { 'max.message.bytes': '1000000' }, /out takes 1000000 bytes .*input in 2000000: a larger output becomes/],
    ['dlq', { 'max.message.bytes': '1000000' }, /dlq takes 1000000 bytes .*a larger dead letter is cut/],
  ])('warns of what topic %s refuses or loses: %j', (name, settings, said) => {
    const findings = bad(withOutput(name, settings))
    expect(findings.map(({ level, what }) => [level, what])).toEqual([['warn', expect.stringMatching(said)]])
    expect(findings[0]?.fix).not.toBeNull()
  })

  it.each<[string, Readonly<Record<string, string>>]>([
    ['out', { 'cleanup.policy': 'delete', 'max.message.bytes': '2000000' }],
    ['out', { 'message.timestamp.after.max.ms': '3600000', 'message.timestamp.before.max.ms': '9223372036854775807' }],
    ['out', { 'message.timestamp.before.max.ms': '1000', 'message.timestamp.type': 'LogAppendTime' }],
    ['dlq', { 'message.timestamp.before.max.ms': '1000' }],
    ['other', { 'cleanup.policy': 'compact', 'max.message.bytes': '1' }],
  ])('has nothing against topic %s with %j', (name, settings) => {
    expect(bad(withOutput(name, settings))).toEqual([])
  })

  it('finds nothing wrong with three replicas, two in sync', () => {
    expect(bad({})).toEqual([])
  })

  it('gives every warning and failure its fix', () => {
    const all = bad({ isCurrent: false, topics: [topic('in', { replicas: 1 })], missingTopics: ['out'], brokers: 1 })
    expect(all.map(({ fix }) => fix)).not.toContain(null)
    expect(all).toHaveLength(3)
  })

  it.each<[string, Partial<KafkaFacts>, 'warn' | 'fail', RegExp]>([
    ['old brokers', { isCurrent: false }, 'warn', /before 4\.0/],
    ['one replica', { topics: [topic('in', { replicas: 1 })] }, 'warn', /1 replica,/],
    [
      'one in sync',
      { topics: [topic('in', { config: new Map([['min.insync.replicas', '1']]) })] },
      'warn',
      /replicas 1/,
    ],
    ['a replica behind', { topics: [topic('in', { underReplicated: 2 })] }, 'warn', /2 partitions are not in sync/],
    ['a partition without a leader', { topics: [topic('in', { leaderless: 1 })] }, 'fail', /no leader/],
    ['a missing topic', { missingTopics: ['in'] }, 'fail', /in does not exist/],
    ['settings that are hidden', { config: new Map() }, 'warn', /may not be read/],
    [
      'a changelog that is not compacted',
      {
        topics: [
          topic('job-source-changelog', {
            config: new Map([
              ['cleanup.policy', 'delete'],
              ['min.insync.replicas', '2'],
            ]),
          }),
        ],
      },
      'fail',
      /state would be lost/,
    ],
    [
      'another job in the group',
      {
        group: {
          state: 'Stable',
          members: [{ job: 'other', clientId: 'x', clientHost: '/10.0.0.1', instanceId: null, process: null }],
        },
      },
      'fail',
      /job other on 10\.0\.0\.1/,
    ],
    [
      'another kind of consumer in the group',
      {
        group: {
          state: 'Stable',
          members: [{ job: null, clientId: 'console', clientHost: '/10.0.0.1', instanceId: null, process: null }],
        },
      },
      'fail',
      /console on/,
    ],
  ])('sees %s', (_, facts, level, what) => {
    expect(bad(facts)).toEqual([{ level, what: expect.stringMatching(what), fix: expect.any(String) }])
  })

  it('refuses times that the brokers do not allow, and partition counts that differ where they may not', () => {
    expect(bad({}, { transactionTimeoutMs: 1_000_000 })).toMatchObject([{ level: 'fail' }])
    expect(bad({}, { sessionTimeoutMs: 1000 })).toMatchObject([{ level: 'fail' }])
    const uneven = { topics: [topic('in'), topic('out', { partitions: 3 })] }
    expect(bad(uneven, { inputs: ['in', 'out'], copartitioned: true })).toMatchObject([{ level: 'fail' }])
    expect(bad(uneven, { inputs: ['in', 'out'] })).toEqual([])
  })

  it('leaves topics and group alone without a job', () => {
    const findings = judgeKafka({ ...good, topics: [], missingTopics: [], group: null }, times, null)
    expect(findings.every(({ what }) => !/Topic|group/.test(what))).toBe(true)
  })
})

const nowMs = Date.UTC(2026, 10, 28, 12)
const open: OpenTransaction = {
  topic: 'orders',
  partition: 3,
  waiting: 15,
  firstOffset: 40,
  producerId: 7001n,
  transactionalId: 'billing-0',
  sinceMs: nowMs - 60_000,
}

it('a transaction that holds an input back is told with its producer, since when, and how to end it', () => {
  const [finding] = judgeTransactions([open], nowMs)
  expect(finding).toMatchObject({ level: 'warn' })
  for (const part of ['orders, partition 3', 'up to 15', '7001', '"billing-0"', '2026-11-28T11:59:00.000Z'])
    expect(finding?.what).toContain(part)
  expect(finding?.fix).toContain('--topic orders --partition 3 --start-offset 40')
})

it('one that was begun just now is not worth a word, one whose begin is not known is', () => {
  expect(judgeTransactions([{ ...open, sinceMs: nowMs - 1_000 }], nowMs)).toEqual([])
  expect(
    judgeTransactions([{ ...open, producerId: null, transactionalId: null, sinceMs: null }], nowMs)[0]?.what,
  ).toContain('do not tell')
})
