import { describe, expect, test } from 'vitest'
import { fc, test as property } from '@fast-check/vitest'
import {
  RecordBatch,
  StoredBatchBuilder,
  encodeLostRange,
  encodeRecordBatch,
  placeBatch,
} from '../../../../src/connectors/embedded/store/recordBatch.ts'
import type { SealedBatch } from '../../../../src/connectors/embedded/store/recordBatch.ts'
import type { Header, StreamRecord, RecordContent } from '../../../../src/core/record.ts'

const bytes: fc.Arbitrary<Buffer> = fc.uint8Array({ maxLength: 60 }).map((array) => Buffer.from(array))
const nullable: fc.Arbitrary<Buffer | null> = fc.option(bytes)
const header: fc.Arbitrary<Header> = fc.tuple(fc.string({ unit: 'grapheme' }), nullable)
const content: fc.Arbitrary<RecordContent> = fc.record({
  timestamp: fc.oneof(fc.maxSafeInteger(), fc.double({ noNaN: true })),
  key: nullable,
  value: nullable,
  headers: fc.array(header, { maxLength: 3 }),
})

function build(records: readonly RecordContent[]): readonly SealedBatch[] {
  const builder = new StoredBatchBuilder()
  for (const record of records) builder.add(record)
  return builder.take()
}

function decode(batches: readonly SealedBatch[], firstOffset: number): readonly StreamRecord[] {
  let end = firstOffset
  return batches.flatMap(({ value, span }) => {
    end += span
    return new RecordBatch({ topic: 't', partition: 3, lastOffset: end - 1 }, value).records()
  })
}

function only<T>(items: readonly T[]): T {
  const [item] = items
  if (item === undefined || items.length !== 1) throw new Error(`one was expected, not ${String(items.length)}`)
  return item
}

describe('record batch', () => {
  property.prop([fc.array(content, { maxLength: 30 }), fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER - 1_000 })])(
    'gives back what was written, at the offsets it was given',
    (records, firstOffset) => {
      const read = decode(build(records), firstOffset)
      expect(read.map(({ timestamp, key, raw, headers }) => ({ timestamp, key, value: raw, headers }))).toEqual(records)
      expect(read.map(({ offset }) => offset)).toEqual(records.map((_, index) => firstOffset + index))
      expect(read.every(({ topic, partition, raw, value }) => topic === 't' && partition === 3 && raw === value)).toBe(
        true,
      )
    },
  )

  property.prop([fc.array(content, { minLength: 1, maxLength: 20 }), fc.nat(), fc.integer({ min: 1, max: 255 })])(
    'is refused as corrupt when any byte is changed',
    (records, at, change) => {
      const value = Buffer.from(only(build(records)).value)
      const index = at % value.length
      value[index] = (value[index] ?? 0) ^ change
      expect(() => new RecordBatch({ topic: 't', partition: 0, lastOffset: 100 }, value).records()).toThrow(
        expect.objectContaining({ code: 'corrupt-store' }),
      )
    },
  )

  property.prop([fc.array(content, { minLength: 1, maxLength: 20 }), fc.nat()])(
    'is refused as corrupt when it is cut',
    (records, at) => {
      const { value } = only(build(records))
      const cut = value.subarray(0, at % value.length)
      expect(() => new RecordBatch({ topic: 't', partition: 0, lastOffset: 100 }, cut).records()).toThrow(
        expect.objectContaining({ code: 'corrupt-store' }),
      )
    },
  )

  property.prop([fc.uint8Array({ maxLength: 200 })])('is refused as corrupt when it is something else', (array) => {
    expect(() => new RecordBatch({ topic: 't', partition: 0, lastOffset: 100 }, Buffer.from(array)).records()).toThrow(
      expect.objectContaining({ code: 'corrupt-store' }),
    )
  })

  property.prop([fc.array(content, { minLength: 1, maxLength: 30 }), fc.nat(30), fc.nat(30), fc.func(fc.boolean())])(
    'keeps its range when records are dropped, and gives those in the asked range',
    (records, from, until, keep) => {
      const all = decode(build(records), 10)
      const range = { first: 10, last: 9 + records.length }
      const kept = all.filter(({ offset }) => keep(offset))
      const value = encodeRecordBatch(range, kept)
      const batch = new RecordBatch({ topic: 't', partition: 3, lastOffset: range.last }, value)
      expect(batch.range).toEqual(range)
      expect(batch.count).toBe(kept.length)
      const asked = kept.filter(({ offset }) => offset >= 10 + from && offset < 10 + until)
      expect(batch.records(10 + from, 10 + until)).toEqual(asked)
    },
  )

  property.prop([fc.array(content, { maxLength: 5 }), fc.integer(), fc.nat(), fc.integer({ min: 1, max: 255 })])(
    'is refused as corrupt when any byte is changed where it is stored, its version too, and under another key',
    (records, mark, at, change) => {
      const all = decode(build(records), 10)
      const range = { first: 10, last: 10 + records.length }
      const place = { topic: 't', partition: 0, lastOffset: range.last, mark }
      const corrupt = expect.objectContaining({ code: 'corrupt-store' })
      for (const value of [placeBatch(encodeRecordBatch(range, all), mark), encodeLostRange(range, mark)]) {
        expect(new RecordBatch(place, value).range).toEqual(range)
        expect(() => new RecordBatch({ ...place, mark: mark ^ change }, value)).toThrow(corrupt)
        for (const index of [0, at % value.length]) {
          const changed = Buffer.from(value)
          changed[index] = (changed[index] ?? 0) ^ change
          expect(() => new RecordBatch(place, changed).records()).toThrow(corrupt)
        }
      }
    },
  )

  test('names the batch that is damaged', () => {
    expect(() => new RecordBatch({ topic: 'orders', partition: 2, lastOffset: 41 }, Buffer.from('nonsense'))).toThrow(
      /orders 2@41/,
    )
  })

  test('holds at most 1,000 records', () => {
    const records = Array.from({ length: 2_500 }, () => ({ timestamp: 1, key: null, value: null, headers: [] }))
    expect(build(records).map(({ span }) => span)).toEqual([1_000, 1_000, 500])
  })

  test('holds about 64 KiB, and a larger record alone', () => {
    const small = { timestamp: 1, key: null, value: Buffer.alloc(30_000), headers: [] }
    const large = { timestamp: 1, key: null, value: Buffer.alloc(200_000), headers: [] }
    expect(build([small, small, small, large, small]).map(({ span }) => span)).toEqual([2, 1, 1, 1])
    expect(decode(build([large]), 0)[0]?.raw).toHaveLength(200_000)
  })

  test('knows its largest timestamp without decoding', () => {
    const records = [5, 9, 7].map((timestamp) => ({ timestamp, key: null, value: null, headers: [] }))
    const { value } = only(build(records))
    expect(new RecordBatch({ topic: 't', partition: 0, lastOffset: 2 }, value).maxTimestamp).toBe(9)
  })

  test('an empty builder gives no batch', () => {
    expect(new StoredBatchBuilder().take()).toEqual([])
  })
})
