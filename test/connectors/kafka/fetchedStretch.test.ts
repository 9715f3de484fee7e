import { describe, expect, test } from 'vitest'
import { UnreadRecord } from '../../../src/core/unreadRecord.ts'
import { FailingStretch } from '../../../src/connectors/kafka/failingStretch.ts'
import { FetchedStretch } from '../../../src/connectors/kafka/fetchedStretch.ts'
import type { FetchTarget } from '../../../src/connectors/kafka/fetchTarget.ts'
import type { Fetcher } from '../../../src/connectors/kafka/fetcher.ts'
import { KafkaReader } from '../../../src/connectors/kafka/kafkaReader.ts'
import { PackedBatches } from '../../../src/connectors/kafka/protocol/packedBatches.ts'
import { ReadBudget } from '../../../src/connectors/kafka/readBudget.ts'
import { silentLogger } from '../../../src/runtime/logger.ts'
import { ManualClock } from '../../../src/testing/manualClock.ts'
import { batchAround, recordAround, varint, type Codec } from './protocol/storedBatches.ts'

const codecs: readonly Codec[] = ['none', 'gzip', 'snappy', 'lz4', 'zstd']

const rest = (text: string) => Buffer.concat([varint(-1), varint(text.length), Buffer.from(text), varint(0)])
const good = (delta: number, text = 'x') => recordAround(delta, rest(text))
/** It says to have 500 headers. */
const bad = (delta: number) =>
  recordAround(delta, Buffer.concat([varint(-1), varint(1), Buffer.from('x'), varint(500)]))

async function batchOf(baseOffset: number, records: readonly Buffer[], codec: Codec = 'none'): Promise<Buffer> {
  return batchAround(Buffer.concat(records), { count: records.length, baseOffset, codec })
}

/** A reader of one topic, and what a fetcher would hand it of one answer. */
function readerOf(options: { readonly from?: number; readonly skip?: number; readonly end?: number }) {
  const { from = 0, skip, end } = options
  const targets: FetchTarget[] = []
  const fetcher = { add: (target: FetchTarget) => targets.push(target), remove: () => undefined, wake: () => undefined }
  const budget = new ReadBudget(64 * 1024 * 1024)
  const reader = new KafkaReader({
    partition: 0,
    positions: new Map([['orders', from]]),
    ends: end === undefined ? null : new Map([['orders', end]]),
    topicIds: new Map(),
    leaderEpochs: new Map(),
    // The reader calls only what the fake has.
    fetcher: fetcher as unknown as Fetcher,
    budget,
    readAhead: { records: 10_000, bytes: 4 * 1024 * 1024 },
    skips: skip === undefined ? [] : [{ topic: 'orders', partition: 0, offset: skip }],
    log: silentLogger,
  })
  const [target] = targets
  if (target === undefined) throw new Error('nobody reads')
  /** Hands over one answer. A damaged batch is asked for only once. */
  const bring = async (bytes: Buffer) => {
    const failing = new FailingStretch({
      target,
      clock: new ManualClock(0),
      log: silentLogger,
      damagedMs: 0,
      end: (error) => {
        target.fail(error)
      },
    })
    const batches = new PackedBatches(
      { topic: 'orders', partition: 0, offset: target.offset, bytes, aborted: null },
      { maxRecordBytes: 1_000_000, skips: (offset) => target.skips?.(offset) ?? false, soon: setImmediate },
    )
    const stretch = new FetchedStretch({ target, failing, batches, broker: 1 })
    await stretch.handOver({ atOnce: true })
    while (!stretch.done && target.wanted && reader.failure === null) await stretch.handOver({ atOnce: false })
    return stretch
  }
  return { reader, target, budget, bring }
}

/** What is handed out, with the position that would be committed behind each of them. */
function handedOut(reader: KafkaReader): readonly (readonly [string, number | undefined])[] {
  const seen: (readonly [string, number | undefined])[] = []
  for (let record = reader.next(); record !== undefined; record = reader.next()) {
    const what = record instanceof UnreadRecord ? `passed ${String(record.offset)}` : String(record.offset)
    seen.push([what, reader.positions().get('orders')])
  }
  return seen
}

const plain = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, n) => [String(from + n), from + n + 1] as const)

describe.each(codecs)('%s: a record that cannot be read in the middle of a batch', (codec) => {
  const middle = async () =>
    batchOf(
      5,
      Array.from({ length: 10 }, (_, n) => (n === 5 ? bad(n) : good(n))),
      codec,
    )

  test('stops the reader behind those before it, which are handed out with their own positions', async () => {
    const { reader, bring } = readerOf({ from: 5 })
    await bring(await middle())
    expect(handedOut(reader)).toEqual(plain(5, 10))
    expect(reader.failure).toMatchObject({ code: 'unreadable-input', details: { offset: 10, next: 15 } })
  })

  test('is passed where it was asked for, with nothing but what is behind it in its batch', async () => {
    const { reader, target, bring } = readerOf({ from: 5, skip: 10 })
    const behind = await batchOf(15, [good(0)], codec)
    await bring(Buffer.concat([await middle(), behind]))
    if (target.offset === 15) await bring(behind)
    expect(handedOut(reader)).toEqual([...plain(5, 10), ['passed 10', 15], ['15', 16]])
    expect(reader.failure).toBeNull()
  })

  test.each([undefined, 10])('never leads a position back, also behind another batch; passed: %s', async (skip) => {
    const { reader, bring } = readerOf(skip === undefined ? {} : { skip })
    const before = await batchOf(
      0,
      Array.from({ length: 5 }, (_, n) => good(n)),
      codec,
    )
    await bring(Buffer.concat([before, await middle()]))
    expect(handedOut(reader)).toEqual([...plain(0, 10), ...(skip === undefined ? [] : [['passed 10', 15]])])
  })
})
