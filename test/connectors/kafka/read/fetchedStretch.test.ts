import { describe, expect, test } from 'vitest'
import { UnreadRecord } from '../../../../src/core/unreadRecord.ts'
import { UnreadableStretch } from '../../../../src/connectors/kafka/read/unreadableStretch.ts'
import { FetchedStretch } from '../../../../src/connectors/kafka/read/fetchedStretch.ts'
import type { FetchTarget } from '../../../../src/connectors/kafka/read/fetchTarget.ts'
import type { Fetcher } from '../../../../src/connectors/kafka/read/fetcher.ts'
import { KafkaReader } from '../../../../src/connectors/kafka/read/kafkaReader.ts'
import { PackedBatches } from '../../../../src/connectors/kafka/protocol/packedBatches.ts'
import { ReadBudget } from '../../../../src/connectors/kafka/read/readBudget.ts'
import { silentLogger } from '../../../../src/core/ports/logger.ts'
import { ManualClock } from '../../../../src/testing/world/manualClock.ts'
import { batchAround, recordAround, resealed, varint, type Codec } from '../protocol/storedBatches.ts'
import { at } from '../../../support/positions.ts'
import type { Position } from '../../../../src/core/ports/position.ts'

const codecs: readonly Codec[] = ['none', 'gzip', 'snappy', 'lz4', 'zstd']

const rest = (text: string) => Buffer.concat([varint(-1), varint(text.length), Buffer.from(text), varint(0)])
const good = (delta: number, text = 'x') => recordAround(delta, rest(text))
/** It says to have 500 headers. */
const bad = (delta: number) =>
  recordAround(delta, Buffer.concat([varint(-1), varint(1), Buffer.from('x'), varint(500)]))

async function batchOf(baseOffset: number, records: readonly Buffer[], codec: Codec = 'none'): Promise<Buffer> {
  return batchAround(Buffer.concat(records), { count: records.length, baseOffset, codec })
}

/** A batch of records at some of its offsets, as compaction leaves them. */
async function compacted(deltas: readonly number[], lastDelta: number): Promise<Buffer> {
  const batch = await batchOf(
    0,
    deltas.map((delta) => good(delta)),
  )
  batch.writeInt32BE(lastDelta, 23)
  return resealed(batch)
}

function damaged(batch: Buffer): Buffer {
  const copy = Buffer.from(batch)
  copy.writeUInt8(copy.readUInt8(copy.length - 3) ^ 1, copy.length - 3)
  return copy
}

/** A reader of one topic, and what a fetcher would hand it of one answer. */
function readerOf(options: { readonly from?: number; readonly skip?: number; readonly end?: number }) {
  const { from = 0, skip, end } = options
  const targets: FetchTarget[] = []
  const fetcher = { add: (target: FetchTarget) => targets.push(target), remove: () => undefined, wake: () => undefined }
  const budget = new ReadBudget(64 * 1024 * 1024, new ManualClock(0))
  const reader = new KafkaReader({
    partition: 0,
    positions: at({ orders: from }),
    ends: end === undefined ? null : at({ orders: end }),
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
    const failing = new UnreadableStretch({
      target,
      clock: new ManualClock(0),
      log: silentLogger,
      damagedMs: 0,
      end: (error) => {
        target.fail(error)
      },
    })
    const batches = new PackedBatches(
      { topic: 'orders', partition: 0, offset: target.offset, bytes, aborted: [] },
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
function handedOut(reader: KafkaReader): readonly (readonly [string, Position | undefined])[] {
  const seen: (readonly [string, Position | undefined])[] = []
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
    // Asked for again from there.
    expect(target.offset).toBe(15)
    await bring(behind)
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

describe('what --skip passes is what the dead letter says, and not the rest of the batch', () => {
  const cases: readonly (readonly [string, string, () => Promise<Buffer>])[] = [
    ['a compacted batch that is damaged', 'damaged-batch', async () => damaged(await compacted([0, 3, 9], 9))],
    [
      'a batch whose count is damaged',
      'damaged-batch',
      async () => {
        const batch = await batchOf(0, [good(0), good(1), good(2)])
        batch.writeInt32BE(7, 57)
        return batch
      },
    ],
    [
      'a batch of another format',
      'unsupported-batch',
      async () => {
        const batch = await batchOf(0, [good(0), good(1), good(2)])
        batch.writeInt8(1, 16)
        return batch
      },
    ],
    [
      'a batch that is shorter than its header',
      'damaged-batch',
      async () => {
        const batch = (await batchOf(0, [good(0)])).subarray(0, 40)
        batch.writeInt32BE(28, 8)
        return batch
      },
    ],
  ]

  test.each(cases)('%s', async (_what, code, make) => {
    const { reader, target, bring } = readerOf({ skip: 0 })
    const batch = await make()
    const behind = await batchOf(10, [good(0)])
    const stretch = await bring(Buffer.concat([batch, behind]))
    expect(handedOut(reader)).toEqual([['passed 0', 1]])
    expect([target.offset, stretch.done, reader.failure]).toEqual([1, true, null])
    // The broker gives the same batch for the next offset: it is named, and nothing of it was lost.
    await bring(Buffer.concat([batch, behind]))
    expect(handedOut(reader)).toEqual([])
    expect(reader.failure).toMatchObject({ code, details: { offset: 1 } })
  })

  test('a length that is damaged takes no batch behind it along', async () => {
    const { reader, target, bring } = readerOf({ skip: 0 })
    const [first, second] = [await batchOf(0, [good(0), good(1)]), await batchOf(2, [good(0), good(1)])]
    const answer = Buffer.concat([first, second, await batchOf(4, [good(0)])])
    answer.writeInt32BE(first.length + second.length - 12, 8)
    await bring(answer)
    expect(handedOut(reader)).toEqual([['passed 0', 2]])
    expect(target.offset).toBe(2)
    await bring(second)
    expect(handedOut(reader)).toEqual(plain(2, 4))
  })
})

describe('a bounded run', () => {
  test('keeps nothing of what a fetch has brought behind its end', async () => {
    const { reader, budget, bring } = readerOf({ end: 5 })
    const { left } = budget
    const batches = [0, 5, 10].map((offset) =>
      batchOf(
        offset,
        Array.from({ length: 5 }, (_, n) => good(n, 'x'.repeat(300_000))),
      ),
    )
    const stretch = await bring(Buffer.concat(await Promise.all(batches)))
    expect(handedOut(reader)).toEqual(plain(0, 5))
    expect([reader.done, stretch.done, budget.left]).toEqual([true, true, left])
  })
})
