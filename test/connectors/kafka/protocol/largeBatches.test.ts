import { fc, test as property } from '@fast-check/vitest'
import { describe, expect, test } from 'vitest'
import type { StreamRecord } from '../../../../src/core/record.ts'
import { TidemarkError } from '../../../../src/core/errors.ts'
import { UnreadRecord } from '../../../../src/core/unreadRecord.ts'
import { PackedBatches, type DecodedRecords } from '../../../../src/connectors/kafka/protocol/packedBatches.ts'
import { batchAround, bodyOf, recordAround, resealed, varint, type Codec } from './storedBatches.ts'

const mebibyte = 1024 * 1024
const codecs: readonly Codec[] = ['none', 'gzip', 'snappy', 'lz4', 'zstd']
const packed = codecs.filter((codec) => codec !== 'none')

interface Limits {
  readonly maxRecordBytes?: number
  readonly skips?: readonly number[]
}

function batchesOf(
  bytes: Buffer,
  { maxRecordBytes = 16 * mebibyte, skips = [] }: Limits = {},
  offset = 0,
): PackedBatches {
  return new PackedBatches(
    { topic: 'orders', partition: 3, offset, bytes, aborted: [] },
    { maxRecordBytes, skips: (at) => skips.includes(at), soon: setImmediate },
  )
}

/** What a reader gets page by page, and at the end the errors among the pages. */
async function pagesOf(
  batches: PackedBatches,
  roomBytes = mebibyte,
): Promise<{
  readonly pages: readonly DecodedRecords[]
  readonly errors: readonly TidemarkError[]
  heldBytes: number
}> {
  const pages: DecodedRecords[] = []
  const errors: TidemarkError[] = []
  let heldBytes = 0
  while (!batches.done) {
    try {
      pages.push(await batches.read(roomBytes))
    } catch (error) {
      if (!(error instanceof TidemarkError)) throw error
      errors.push(error)
    }
    heldBytes = Math.max(heldBytes, batches.heldBytes)
  }
  return { pages, errors, heldBytes }
}

const recordsOf = (pages: readonly DecodedRecords[]): readonly StreamRecord[] => pages.flatMap(({ records }) => records)
const offsetsOf = (pages: readonly DecodedRecords[]): readonly number[] => recordsOf(pages).map(({ offset }) => offset)

const content = (bytes: number, fill = 0) => ({
  timestamp: 1_700_000_000_000,
  key: Buffer.from('key'),
  value: Buffer.alloc(bytes, fill),
  headers: [],
})

describe('a batch that is larger than what is unpacked at once', () => {
  test.each(packed)('%s: comes page by page, and is never held whole', async (codec) => {
    const body = await bodyOf(Array.from({ length: 6 }, () => content(mebibyte)))
    const bytes = await batchAround(body, { count: 6, codec })
    const { pages, errors, heldBytes } = await pagesOf(batchesOf(bytes))
    expect(errors).toEqual([])
    expect(pages.map(({ records }) => records.length)).toEqual(Array.from({ length: 6 }, () => 1))
    expect(offsetsOf(pages)).toEqual([0, 1, 2, 3, 4, 5])
    expect(recordsOf(pages).every(({ raw }) => raw?.length === mebibyte)).toBe(true)
    expect(pages.at(-1)?.next).toBe(6)
    // A record under way, pieces, and a window.
    expect(heldBytes).toBeLessThan(2 * bytes.length + 4 * mebibyte)
  })

  test.each(packed)('%s: is left where it comes in pieces and that would take long', async (codec) => {
    const body = await bodyOf([content(mebibyte), content(mebibyte)])
    const batches = batchesOf(await batchAround(body, { count: 2, codec }))
    expect(await batches.read(mebibyte, { atOnce: true })).toMatchObject({ records: [], next: 0 })
    expect(batches.inPieces).toBe(true)
    expect((await batches.read(mebibyte)).next).toBe(1)
    batches.close()
    expect([batches.done, batches.heldBytes]).toEqual([true, 0])
  })

  test('values of several pieces are their own memory, and no part of the whole', async () => {
    const bytes = await batchAround(await bodyOf([content(mebibyte), content(mebibyte)]), { count: 2, codec: 'zstd' })
    const { pages } = await pagesOf(batchesOf(bytes))
    for (const { raw } of recordsOf(pages)) expect(raw?.buffer.byteLength).toBeLessThan(mebibyte + 100)
  })
})

test('a value that is nearly all of an answer is handed out where it is, any other in memory of its own', async () => {
  const [large, small] = [await bodyOf([content(mebibyte)]), await bodyOf([content(10), content(mebibyte / 2)])]
  const alone = await batchAround(large, { count: 1 })
  const [value] = recordsOf((await pagesOf(batchesOf(alone))).pages)
  expect(value?.raw?.buffer).toBe(alone.buffer)
  const answer = Buffer.concat([await batchAround(small, { count: 2 }), Buffer.alloc(mebibyte)])
  const others = recordsOf((await pagesOf(batchesOf(answer))).pages)
  expect(others.map(({ raw }) => raw?.length)).toEqual([10, mebibyte / 2])
  expect(others.filter(({ raw }) => raw?.buffer === answer.buffer)).toEqual([])
})

test.each(codecs)('%s: the rest of an answer is kept in memory of its own', async (codec) => {
  const parts = await Promise.all(
    [0, 2].map(async (baseOffset) =>
      batchAround(await bodyOf([content(600, 7), content(600, 8)]), { count: 2, baseOffset, codec }),
    ),
  )
  const answer = Buffer.concat(parts)
  const batches = batchesOf(answer)
  expect(offsetsOf([await batches.read(1)])).toEqual([0])
  batches.keep()
  answer.fill(0xff)
  const { pages, errors } = await pagesOf(batches)
  expect(errors).toEqual([])
  expect(recordsOf(pages).map(({ offset, raw }) => [offset, raw?.[0]])).toEqual([
    [1, 8],
    [2, 7],
    [3, 8],
  ])
})

const drawn = fc.record({
  sizes: fc.array(fc.integer({ min: 0, max: 3_000 }), { minLength: 1, maxLength: 12 }),
  codec: fc.constantFrom(...codecs),
  roomBytes: fc.integer({ min: 1, max: 6_000 }),
})

property.prop([drawn, fc.nat()])(
  'pages of any size together hold each record once, and reading can begin anew at the end of each',
  async ({ sizes, codec, roomBytes }, cut) => {
    const body = await bodyOf(sizes.map((size, index) => content(size, index)))
    const bytes = await batchAround(body, { count: sizes.length, codec })
    const { pages } = await pagesOf(batchesOf(bytes), roomBytes)
    expect(recordsOf(pages).map(({ raw }) => raw?.length)).toEqual(sizes)
    const next = pages[cut % pages.length]?.next ?? 0
    const again = new PackedBatches(
      { topic: 'orders', partition: 3, offset: next, bytes, aborted: [] },
      { maxRecordBytes: mebibyte, skips: () => false, soon: setImmediate },
    )
    expect(offsetsOf((await pagesOf(again)).pages)).toEqual(sizes.map((_, n) => n).slice(next))
  },
)

describe('a record that is too large to be held', () => {
  test.each(codecs)('%s: is passed by, known by its position and size', async (codec) => {
    const body = await bodyOf([content(10, 1), content(3 * mebibyte), content(10, 2)])
    const bytes = await batchAround(body, { count: 3, codec })
    const { pages, errors, heldBytes } = await pagesOf(batchesOf(bytes, { maxRecordBytes: 2 * mebibyte }), 8 * mebibyte)
    expect(errors).toEqual([])
    const [first, unread, last] = recordsOf(pages)
    expect([first?.raw?.[0], last?.raw?.[0]]).toEqual([1, 2])
    expect(unread).toBeInstanceOf(UnreadRecord)
    expect(unread).toMatchObject({ offset: 1, next: 2, key: null, raw: null, skipped: false })
    expect((unread as UnreadRecord).bytes).toBeGreaterThan(3 * mebibyte)
    expect((unread as UnreadRecord).error).toMatchObject({ code: 'input-too-large', details: { offset: 1 } })
    // Whoever commits behind it commits behind all of it.
    const page = pages.find(({ records }) => records.includes(unread as UnreadRecord))
    expect([page?.records.at(-1), page?.next]).toEqual([unread, 2])
    expect(heldBytes).toBeLessThan(2 * bytes.length + 3 * mebibyte)
  })

  test('is told of as passed where somebody has asked for that', async () => {
    const bytes = await batchAround(await bodyOf([content(3 * mebibyte)]), { count: 1, codec: 'zstd' })
    const { pages } = await pagesOf(batchesOf(bytes, { maxRecordBytes: mebibyte, skips: [0] }))
    expect(recordsOf(pages)).toMatchObject([{ offset: 0, skipped: true }])
  })

  test('for its headers: millions of empty ones take more than their bytes', async () => {
    const count = 400_000
    const headers = Buffer.alloc(2 * count, Buffer.from([0, 1]))
    const record = recordAround(0, Buffer.concat([varint(-1), varint(-1), varint(count), headers]))
    const bytes = await batchAround(record, { count: 1, codec: 'zstd' })
    const { pages } = await pagesOf(batchesOf(bytes))
    expect(recordsOf(pages)).toMatchObject([{ offset: 0, headers: [], bytes: expect.any(Number) }])
    expect(recordsOf(pages)[0]).toBeInstanceOf(UnreadRecord)
    const whole = await pagesOf(batchesOf(bytes, { maxRecordBytes: 64 * mebibyte }))
    expect(recordsOf(whole.pages)[0]?.headers).toHaveLength(count)
  })
})

describe('a batch that its producer has written so that it cannot be read', () => {
  const whole = recordAround(0, Buffer.concat([varint(-1), varint(1), Buffer.from('x'), varint(0)]))
  const cases: readonly (readonly [string, Buffer, number])[] = [
    ['a length of 2 GiB and nothing behind it', recordAround(1, Buffer.alloc(0), 2 ** 31 - 1), 2],
    ['a length of 30 GB', recordAround(1, Buffer.alloc(0), 30_000_000_000), 2],
    ['a negative length', recordAround(1, Buffer.alloc(0), -5), 2],
    ['a length that does not end', Buffer.alloc(40, 0xff), 2],
    ['a key that is longer than the record', recordAround(1, Buffer.concat([varint(900), Buffer.alloc(20)])), 2],
    [
      'a header more than there are bytes',
      recordAround(1, Buffer.concat([varint(-1), varint(-1), varint(2 ** 31)])),
      2,
    ],
    [
      'a header name of a negative length',
      recordAround(1, Buffer.concat([varint(-1), varint(-1), varint(1), varint(-9), varint(-1)])),
      2,
    ],
    ['an offset that was there before', recordAround(0, Buffer.concat([varint(-1), varint(-1), varint(0)])), 2],
    ['an offset beyond the batch', recordAround(2 ** 40, Buffer.concat([varint(-1), varint(-1), varint(0)])), 2],
    ['fewer records than it says', Buffer.alloc(0), 2],
  ]

  test.each(cases.flatMap((each) => codecs.map((codec) => [each[0], codec, each] as const)))(
    '%s, %s: the records before it are read, it is named, and reading can go on behind it',
    async (_what, codec, [, bad, count]) => {
      const bytes = await batchAround(Buffer.concat([whole, bad]), { count, codec })
      const behind = await batchAround(await bodyOf([content(5)]), { count: 1, baseOffset: 2 })
      const answer = Buffer.concat([bytes, behind])
      const { pages, errors } = await pagesOf(batchesOf(answer))
      expect(pages.map(({ next }) => next)).toEqual([1])
      expect(offsetsOf(pages)).toEqual([0])
      expect(offsetsOf((await pagesOf(batchesOf(answer, {}, 2))).pages)).toEqual([2])
      expect(errors).toMatchObject([
        { code: 'unreadable-input', kind: 'guard', details: { topic: 'orders', partition: 3, offset: 1, next: 2 } },
      ])
      expect(errors[0]?.message).toMatch(/^The batch at orders 3@1 cannot be read: .*--skip orders:3@1,/)
    },
  )

  test.each([2 ** 31 - 1, -1])('a count of %i is not believed', async (count) => {
    const bytes = await batchAround(whole, { count: 1 })
    bytes.writeInt32BE(count, 57)
    const { errors } = await pagesOf(batchesOf(resealed(bytes)))
    expect(errors).toMatchObject([{ code: 'unreadable-input', details: { offset: 0, next: 1 } }])
  })

  test('a last offset before the first does not lead back', async () => {
    const bytes = await batchAround(whole, { count: 1 })
    bytes.writeInt32BE(-9, 23)
    const { errors } = await pagesOf(batchesOf(resealed(bytes)))
    expect(errors).toMatchObject([{ code: 'unreadable-input', details: { next: 1 } }])
  })

  test.each(packed)('%s that is cut off: what can be unpacked is read', async (codec) => {
    const body = await bodyOf(Array.from({ length: 6 }, () => content(mebibyte)))
    const bytes = await batchAround(body, { count: 6, codec })
    const { pages, errors } = await pagesOf(batchesOf(resealed(bytes.subarray(0, Math.floor(bytes.length / 2)))))
    const read = offsetsOf(pages)
    expect(read).toEqual(read.map((_, n) => n))
    expect(errors).toMatchObject([{ code: 'unreadable-input', details: { offset: read.length, next: 6 } }])
  })

  test('a codec that Kafka does not have can be passed as well', async () => {
    const bytes = await batchAround(whole, { count: 1 })
    bytes.writeInt16BE(6, 21)
    const { errors } = await pagesOf(batchesOf(resealed(bytes)))
    expect(errors).toMatchObject([{ code: 'unsupported-batch', details: { offset: 0, next: 1 } }])
  })

  test('a length that is damaged is a damaged batch, and not one that is cut off', async () => {
    const bytes = await batchAround(whole, { count: 1 })
    bytes.writeInt32BE(1_000_000, 8)
    const { errors } = await pagesOf(batchesOf(bytes))
    expect(errors).toMatchObject([{ code: 'damaged-batch', details: { offset: 0, next: 1 } }])
  })
})

const hostile = fc.record({
  sizes: fc.array(fc.integer({ min: 0, max: 400 }), { minLength: 1, maxLength: 6 }),
  codec: fc.constantFrom(...codecs),
  changes: fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { minLength: 1, maxLength: 4 }),
  packedChanges: fc.boolean(),
})

property.prop([hostile], { numRuns: 300 })(
  'whatever a batch holds, reading ends, goes forward, and says what it cannot read',
  async ({ sizes, codec, changes, packedChanges }) => {
    const body = Buffer.from(await bodyOf(sizes.map((size, index) => content(size, index))))
    if (!packedChanges) for (const [at, value] of changes) body[at % body.length] = value
    const batch = await batchAround(body, { count: sizes.length, codec })
    // All but the length and the checksum, which are made anew.
    if (packedChanges) for (const [at, value] of changes) batch[21 + (at % (batch.length - 21))] = value
    const { pages, errors } = await pagesOf(batchesOf(resealed(batch), { maxRecordBytes: 1_000 }), 500)
    const offsets = offsetsOf(pages)
    expect(offsets).toEqual([...new Set(offsets)].toSorted((a, b) => a - b))
    expect(offsets.length).toBeLessThanOrEqual(sizes.length)
    for (const { records, next } of pages) expect(next).toBeGreaterThan(records.at(-1)?.offset ?? -1)
    for (const { code, details } of errors) {
      expect(['unreadable-input', 'unsupported-batch']).toContain(code)
      expect(Number(details['next'])).toBeGreaterThan(Number(details['offset']))
    }
  },
)
