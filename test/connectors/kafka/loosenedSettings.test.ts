import { expect, test } from 'vitest'
import { KafkaOutputs } from '../../../src/connectors/kafka/log/kafkaOutputs.ts'
import type { TaskLogShared } from '../../../src/connectors/kafka/log/taskLogShared.ts'
import type { KnownTopic } from '../../../src/connectors/kafka/client/topicDirectory.ts'
import { ManualClock } from '../../../src/testing/world/manualClock.ts'
import { output } from './kafkaWorld.ts'

const nowMs = 1_700_000_000_000
const known: KnownTopic = { name: 'results', partitions: 1, maxMessageBytes: 1_000, needsKey: false, timestamps: null }
const times = { beforeMs: 1_000, afterMs: 1_000, nowFits: true }

/** Which topics are looked up again because of an output with this value and time. */
function lookedUp(topic: KnownTopic, value: string, timestamp = nowMs): readonly string[] {
  const asked: string[] = []
  const shared = {
    topics: { find: () => topic, refresh: (name: string) => asked.push(name) },
    compression: 'none',
    clock: new ManualClock(nowMs),
    ownTopics: new Set<string>(),
  } as unknown as TaskLogShared
  new KafkaOutputs(shared).refusal({ ...output('results', value), timestamp })
  return asked
}

test.each([
  ['size', known, 'x'.repeat(2_000), nowMs],
  ['want of a key', { ...known, needsKey: true }, 'x', nowMs],
  ['time', { ...known, timestamps: times }, 'x', nowMs - 1_000_000],
] as const)(
  'a topic that refuses an output for its %s is looked up again: that may have changed',
  (_, topic, value, at) => {
    expect(lookedUp(topic, value, at)).toEqual(['results'])
  },
)

test('one that takes it is not, and neither is one whose brokers have another clock, which no setting changes', () => {
  expect(lookedUp(known, 'x')).toEqual([])
  const otherClock = { ...known, timestamps: { ...times, nowFits: false } }
  expect(lookedUp(otherClock, 'x', nowMs - 1_000_000)).toEqual([])
})
