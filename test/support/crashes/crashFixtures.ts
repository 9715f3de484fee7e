import reconcile from '../../../jobs/reconcile.ts'
import { badMessages } from '../../../jobs/reconcile/badMessages.ts'
import { reconcileSample } from '../../../jobs/reconcile/sample.ts'
import type { OutputRecord } from '../../../src/core/record.ts'
import type { SampleRecord } from '../../../src/runtime/plan/defineJob.ts'
import count from '../jobs/count.ts'
import { crashCase, type CrashCase } from './crashCase.ts'

/** Good messages, and how many of them come before each bad one. */
const goodMessages = 48
const goodBetween = 4

/** 48 good messages of the job's own sample and 12 bad ones; epochs of about five of them. */
export function reconcileCase(): Promise<CrashCase> {
  const { topics, tables } = reconcileSample({ records: goodMessages }, 'input-topic')
  const good = [...(topics['input-topic'] ?? [])]
  const mixed = good.flatMap((record, n): readonly SampleRecord[] => {
    if (n % goodBetween > 0) return [record]
    const bad = badMessages[n / goodBetween]
    return bad === undefined ? [record] : [{ ...bad.make(n), timestamp: record.timestamp }, record]
  })
  return crashCase({
    job: reconcile,
    settings: { 'checkpoint.max.bytes': '2 KiB' },
    inputTopic: 'input-topic',
    groupId: 'reconcile-group',
    outputTopics: ['reconcile', 'reconcile-dlq'],
    // In turn, so that both tasks have about as much to do.
    records: mixed.map((record, n) => input('input-topic', n, record, n % 2)),
    tables,
    stateAfter: () => new Map(),
  })
}

/** 60 events of 7 keys, some without one; epochs of about four of them. */
export function countCase(): Promise<CrashCase> {
  const records = Array.from({ length: 60 }, (_, n) => {
    const key = n % 15 === 7 ? null : `key-${String((n * n + n) % 7)}`
    return input('events', n, { key, value: `${String(n)} ${'.'.repeat(90)}`, timestamp: n }, null)
  })
  return crashCase({
    job: count,
    settings: { 'checkpoint.max.bytes': '1 KiB' },
    inputTopic: 'events',
    groupId: 'count',
    outputTopics: ['counts', 'counts-dlq'],
    records,
    tables: [],
    stateAfter(inputs) {
      const counts = new Map<string, string>()
      for (const { key } of inputs) {
        if (key !== null) counts.set(key.toString(), String(Number(counts.get(key.toString()) ?? 0) + 1))
      }
      return counts
    },
  })
}

function input(topic: string, n: number, record: SampleRecord, partition: number | null): OutputRecord {
  const { key, value, timestamp } = record
  return {
    topic,
    partition,
    key: key === null ? null : Buffer.from(key),
    value: value === null ? null : Buffer.from(value),
    headers: [['id', Buffer.from(String(n))]],
    timestamp,
  }
}
