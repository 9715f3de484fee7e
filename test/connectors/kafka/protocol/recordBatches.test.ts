import { randomBytes } from 'node:crypto'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { fc, test as property } from '@fast-check/vitest'
import { describe, expect, test } from 'vitest'
import type { Header, StreamRecord, RecordContent } from '../../../../src/core/record.ts'
import { crc32c } from '../../../../src/codecs/crc32c.ts'
import { batchHeaderBytes } from '../../../../src/connectors/kafka/protocol/batchHeader.ts'
import { PackedBatches, type FetchedBatches } from '../../../../src/connectors/kafka/protocol/packedBatches.ts'
import { RecordBatchBuilder, builtOverheadBytes } from '../../../../src/connectors/kafka/protocol/recordBatchBuilder.ts'
import { lz4Of, snappyOf } from './packedSequences.ts'

const place = { topic: 'orders', partition: 3 }

function record(value: string, fields: Partial<RecordContent> = {}): RecordContent {
  return { timestamp: 1_700_000_000_000, key: null, value: Buffer.from(value), headers: [], ...fields }
}

/** A batch as the broker keeps it: its offsets are set there. */
async function stored(
  records: readonly RecordContent[],
  baseOffset: number,
  compression: 'none' | 'gzip' | 'zstd' = 'none',
): Promise<Buffer> {
  const builder = new RecordBatchBuilder()
  for (const each of records) builder.add(each)
  const batch = await builder.build(null, compression)
  batch.writeBigInt64BE(BigInt(baseOffset), 0)
  return batch
}

/** What a test has changed in batches is what their writer meant: the checksums are made anew. */
function sealed(bytes: Buffer): Buffer {
  for (let at = 0; at + batchHeaderBytes <= bytes.length; at += 12 + bytes.readInt32BE(at + 8)) {
    const batch = bytes.subarray(at, at + 12 + bytes.readInt32BE(at + 8))
    batch.writeUInt32BE(crc32c(batch.subarray(21)), 17)
  }
  return bytes
}

const limits = { maxRecordBytes: 16 * 1024 * 1024, skips: () => false, soon: setImmediate }

/** All of what a fetch brought, page by page. */
async function decodeBatches(
  fetched: FetchedBatches,
  { roomBytes = 1024 * 1024, maxRecordBytes = limits.maxRecordBytes } = {},
): Promise<{ readonly records: readonly StreamRecord[]; readonly next: number; readonly leaderEpoch: number | null }> {
  const batches = new PackedBatches(fetched, { ...limits, maxRecordBytes })
  const all: StreamRecord[] = []
  let [next, leaderEpoch]: [number, number | null] = [fetched.offset, null]
  while (!batches.done) {
    const page = await batches.read(roomBytes)
    all.push(...page.records)
    ;({ next, leaderEpoch } = page)
  }
  return { records: all, next, leaderEpoch }
}

const decode = (bytes: Buffer, offset = 0) => decodeBatches({ ...place, offset, bytes: sealed(bytes), aborted: [] })

const bytes = fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array))
const header: fc.Arbitrary<Header> = fc.tuple(
  fc.string({ unit: 'binary', maxLength: 8 }),
  fc.option(bytes, { nil: null }),
)
const content = fc.record({
  timestamp: fc.oneof(fc.integer({ min: -1, max: 8_640_000_000_000_000 }), fc.constantFrom(-1, 0, 1)),
  key: fc.option(bytes, { nil: null }),
  value: fc.option(bytes, { nil: null }),
  headers: fc.array(header, { maxLength: 5 }),
})

property.prop([fc.array(content, { minLength: 1, maxLength: 40 }), fc.constantFrom('none', 'gzip', 'zstd'), fc.nat()])(
  'a batch gives back its records as they were, headers in order and repeated names, nulls and odd times included',
  async (records, compression, baseOffset) => {
    const { records: decoded, next } = await decode(await stored(records, baseOffset, compression), baseOffset)
    expect(decoded.map(({ timestamp, key, headers, raw }) => ({ timestamp, key, headers, value: raw }))).toEqual(
      records,
    )
    expect(decoded.map(({ offset }) => offset)).toEqual(records.map((_, index) => baseOffset + index))
    expect(next).toBe(baseOffset + records.length)
  },
)

property.prop([fc.array(content, { minLength: 1, maxLength: 20 })])(
  'a batch is known to the byte before it is built, and one record more as well',
  async (records) => {
    const builder = new RecordBatchBuilder()
    for (const each of records) {
      const expected = builder.bytesWith(each)
      builder.add(each)
      expect(builder.bytes).toBe(expected)
    }
    expect((await builder.build(null, 'none')).length).toBe(builder.bytes)
  },
)

test('a record takes at most the overhead that is reckoned with, besides key, value and headers', () => {
  const builder = new RecordBatchBuilder()
  builder.add(record('', { timestamp: -1 }))
  const value = Buffer.alloc(20 * 1024 * 1024)
  const large = { timestamp: 8_640_000_000_000_000, key: value, value, headers: [] }
  expect(builder.bytesWith(large) - builder.bytes - 2 * value.length).toBeLessThanOrEqual(builtOverheadBytes)
  expect(new RecordBatchBuilder().bytes).toBe(batchHeaderBytes)
})

describe('positions', () => {
  test('records before the asked offset are left out', async () => {
    const batch = await stored([record('a'), record('b'), record('c')], 10)
    const { records, next } = await decode(batch, 11)
    expect(records.map(({ offset }) => offset)).toEqual([11, 12])
    expect(next).toBe(13)
  })

  test('a batch whose last records compaction has removed is passed as a whole', async () => {
    const batch = await stored([record('a'), record('b')], 10)
    batch.writeInt32BE(9, 23)
    const { records, next } = await decode(batch, 10)
    expect(records.map(({ offset }) => offset)).toEqual([10, 11])
    expect(next).toBe(20)
  })

  test('a batch that compaction has emptied is passed', async () => {
    const batch = (await stored([record('a')], 10)).subarray(0, batchHeaderBytes)
    batch.writeInt32BE(batchHeaderBytes - 12, 8)
    batch.writeInt32BE(4, 23)
    batch.writeInt32BE(0, 57)
    expect(await decode(batch, 10)).toMatchObject({ records: [], next: 15 })
  })

  test('a batch that is cut off is left to the next fetch', async () => {
    const whole = await stored([record('a')], 0)
    const cut = (await stored([record('b'), record('c')], 1)).subarray(0, -1)
    const { records, next } = await decode(Buffer.concat([whole, cut]))
    expect(records).toHaveLength(1)
    expect(next).toBe(1)
    expect(await decode(whole.subarray(0, 11))).toMatchObject({ records: [], next: 0 })
  })

  test('a commit marker is passed and is no record', async () => {
    const { records, next } = await decode(Buffer.concat([await stored([record('a')], 0), marker(1, 'commit')]))
    expect(records).toHaveLength(1)
    expect(next).toBe(2)
    expect(await decode(marker(5, 'commit'), 5)).toMatchObject({ records: [], next: 6 })
  })

  test('the records of an aborted transaction are passed', async () => {
    const batch = await transactional([record('a')], 0, 7n)
    const committed = await transactional([record('b')], 2, 7n)
    const log = Buffer.concat([batch, marker(1, 'abort', 7n), committed, marker(3, 'commit', 7n)])
    const { records, next } = await decodeBatches({
      ...place,
      offset: 0,
      bytes: sealed(log),
      aborted: [{ producerId: 7n, firstOffset: 0 }],
    })
    expect(records.map(({ raw }) => raw?.toString())).toEqual(['b'])
    expect(next).toBe(4)
  })

  test('a record whose key is that of an abort marker ends no transaction', async () => {
    const key = Buffer.from([0, 0, 0, 0])
    const log = Buffer.concat([
      await transactional([record('a', { key }), record('b')], 0, 7n),
      await transactional([record('c')], 2, 7n),
      marker(3, 'abort', 7n),
    ])
    const { records } = await decodeBatches({
      ...place,
      offset: 0,
      bytes: sealed(log),
      aborted: [{ producerId: 7n, firstOffset: 0 }],
    })
    expect(records).toEqual([])
  })
})

test('keys, values and headers are copies, so that a record does not keep the whole answer alive', async () => {
  const batch = await stored([record('value', { key: Buffer.from('key'), headers: [['h', Buffer.from('head')]] })], 0)
  const { records } = await decode(batch)
  batch.fill(0)
  const [first] = records
  expect([first?.key?.toString(), first?.raw?.toString(), first?.headers[0]?.[1]?.toString()]).toEqual([
    'key',
    'value',
    'head',
  ])
})

test('times that no Date has are brought to the nearest one that has', async () => {
  const batch = await stored([record('a')], 0)
  batch.writeBigInt64BE(2n ** 63n - 1n, 27)
  expect((await decode(batch)).records[0]?.timestamp).toBe(8_640_000_000_000_000)
  batch.writeBigInt64BE(-(2n ** 60n), 27)
  expect((await decode(batch)).records[0]?.timestamp).toBe(-1)
})

test('where the broker stamps records its time counts', async () => {
  const batch = await stored([record('a', { timestamp: 5 }), record('b', { timestamp: 9 })], 0)
  batch.writeInt16BE(batch.readInt16BE(21) | 0x08, 21)
  batch.writeBigInt64BE(77n, 35)
  expect((await decode(batch)).records.map(({ timestamp }) => timestamp)).toEqual([77, 77])
})

describe('compression', () => {
  test('a codec that Kafka does not have is refused by name', async () => {
    const batch = await stored([record('a')], 4)
    batch.writeInt16BE(5, 21)
    await expect(decode(batch, 4)).rejects.toMatchObject({
      code: 'unsupported-batch',
      message: expect.stringMatching(/orders 3@4 is compressed with codec 5.*lz4/),
    })
  })

  test.each(['gzip', 'zstd'] as const)('a batch that %s would make larger is not compressed', async (type) => {
    const builder = new RecordBatchBuilder()
    builder.add({ ...record(''), value: randomBytes(10_000) })
    const batch = await builder.build(null, type)
    expect(batch).toHaveLength(builder.bytes)
    expect((await decode(batch)).records[0]?.raw).toHaveLength(10_000)
  })

  test.each([
    [1, gzipSync],
    [2, snappyOf],
    [3, lz4Of],
    [4, zstdCompressSync],
  ])('what other producers compress with codec %i is read', async (codec, compress) => {
    const plain = await stored([record('a'), record('b')], 0)
    const packed = Buffer.concat([plain.subarray(0, batchHeaderBytes), compress(plain.subarray(batchHeaderBytes))])
    packed.writeInt32BE(packed.length - 12, 8)
    packed.writeInt16BE(codec, 21)
    expect((await decode(packed)).records.map(({ raw }) => raw?.toString())).toEqual(['a', 'b'])
  })

  test('bytes that are not what the codec packs name their place', async () => {
    const batch = await stored([record('a')], 8)
    batch.writeInt16BE(1, 21)
    await expect(decode(batch, 8)).rejects.toMatchObject({ message: expect.stringContaining('orders 3@8') })
  })
})

describe('damaged batches', () => {
  test('are known by their checksum, wherever a bit is another one', async () => {
    const batch = await stored([record('abc')], 0)
    for (let at = 17; at < batch.length; at += 1) {
      const damaged = Buffer.from(batch)
      damaged[at] = (damaged[at] ?? 0) ^ 0x10
      await expect(decodeBatches({ ...place, offset: 0, bytes: damaged, aborted: [] })).rejects.toMatchObject({
        code: 'damaged-batch',
        message: expect.stringContaining('orders 3@0'),
      })
    }
  })

  test('do not hide which leader has taken the whole ones', async () => {
    const batch = await stored([record('abc')], 0)
    batch.writeInt32BE(12, 12)
    expect((await decode(batch)).leaderEpoch).toBe(12)
    expect((await decode(Buffer.alloc(0))).leaderEpoch).toBeNull()
  })

  test('are refused by their place and never read beyond their end', async () => {
    const batch = await stored([record('abc')], 0)
    batch.writeInt32BE(1_000_000, 57)
    await expect(decode(batch)).rejects.toMatchObject({
      code: 'unreadable-input',
      message: expect.stringContaining('orders 3@0'),
    })
  })

  test('of message formats before Kafka 0.11 are refused', async () => {
    const batch = await stored([record('a')], 0)
    batch.writeInt8(1, 16)
    await expect(decode(batch)).rejects.toMatchObject({ code: 'unsupported-batch' })
  })
})

async function transactional(
  records: readonly RecordContent[],
  baseOffset: number,
  producerId: bigint,
): Promise<Buffer> {
  const builder = new RecordBatchBuilder()
  for (const each of records) builder.add(each)
  const batch = await builder.build({ id: producerId, epoch: 0, sequence: 0 }, 'none')
  batch.writeBigInt64BE(BigInt(baseOffset), 0)
  return batch
}

/** A control batch as brokers write it: its key is a version and a type. */
function marker(offset: number, kind: 'abort' | 'commit', producerId = 1n): Buffer {
  const key = Buffer.from([0, 0, 0, kind === 'abort' ? 0 : 1])
  const value = Buffer.alloc(6)
  const body = Buffer.concat([
    Buffer.from([0, 0, 0, key.length * 2]),
    key,
    Buffer.from([value.length * 2]),
    value,
    Buffer.from([0]),
  ])
  const batch = Buffer.concat([Buffer.alloc(batchHeaderBytes), Buffer.from([body.length * 2]), body])
  batch.writeBigInt64BE(BigInt(offset), 0)
  batch.writeInt32BE(batch.length - 12, 8)
  batch.writeInt8(2, 16)
  batch.writeInt16BE(0x30, 21)
  batch.writeBigInt64BE(producerId, 43)
  batch.writeInt32BE(1, 57)
  return batch
}
