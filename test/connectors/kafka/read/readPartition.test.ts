import { expect, test } from 'vitest'
import { TidemarkError } from '../../../../src/core/errors.ts'
import { StreamRecord } from '../../../../src/core/record.ts'
import { UnreadRecord } from '../../../../src/core/unreadRecord.ts'
import type { FetchTarget } from '../../../../src/connectors/kafka/read/fetchTarget.ts'
import type { Fetcher } from '../../../../src/connectors/kafka/read/fetcher.ts'
import { readPartition } from '../../../../src/connectors/kafka/read/readPartition.ts'

const mebibyte = 1024 * 1024
/** One value for all: what is counted is what a record holds. */
const value = Buffer.alloc(mebibyte)

/** Gives a target what it wants whenever it is woken, a page of its room at a time, up to an end. */
class EagerFetcher {
  readonly #record: (offset: number) => StreamRecord
  #target: FetchTarget | null = null
  given = 0

  constructor(record: (offset: number) => StreamRecord) {
    this.#record = record
  }

  add(target: FetchTarget): void {
    this.#target = target
    this.wake()
  }

  remove(): void {
    this.#target = null
  }

  wake(): void {
    const target = this.#target
    while (target?.wanted === true) {
      const page: StreamRecord[] = []
      for (let bytes = 0, { room } = target; bytes < room; bytes += mebibyte) {
        page.push(this.#record(target.offset + page.length))
      }
      this.given += page.length
      target.accept(page, target.offset + page.length, null)
    }
  }
}

const record = (offset: number): StreamRecord => new StreamRecord('log', 0, offset, 0, value, [], null, null)

test('20,000 records of 1 MiB are read with some MiB of them at a time', async () => {
  const fetcher = new EagerFetcher(record)
  let [read, most] = [0, 0]
  // The reader calls only what the fake has.
  for await (const records of readPartition(fetcher as unknown as Fetcher, { topic: 'log', partition: 0 }, 0, 20_000)) {
    read += records.length
    most = Math.max(most, records.length, fetcher.given - read)
  }
  expect(read).toBe(20_000)
  expect(most).toBeLessThanOrEqual(5)
})

test('a record that cannot be held ends it by name: a state without it would be another one', async () => {
  const fields = { topic: 'log', partition: 0, next: 3, timestamp: 0, bytes: 1, skipped: false }
  const unread = new UnreadRecord(new TidemarkError('input-too-large', 'Record log 0@2 takes too much'), {
    ...fields,
    offset: 2,
  })
  const fetcher = new EagerFetcher((offset) => (offset === 2 ? unread : record(offset)))
  const reading = readPartition(fetcher as unknown as Fetcher, { topic: 'log', partition: 0 }, 0, 9)
  await expect(reading.next()).rejects.toMatchObject({ code: 'input-too-large' })
})
