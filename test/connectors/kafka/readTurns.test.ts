import { setImmediate as turn } from 'node:timers/promises'
import { beforeAll, describe, expect, test } from 'vitest'
import type { StreamRecord } from '../../../src/core/record.ts'
import { UnreadableStretch } from '../../../src/connectors/kafka/read/unreadableStretch.ts'
import { FetchedStretch } from '../../../src/connectors/kafka/read/fetchedStretch.ts'
import type { FetchTarget } from '../../../src/connectors/kafka/read/fetchTarget.ts'
import type { Fetcher } from '../../../src/connectors/kafka/read/fetcher.ts'
import { KafkaReader } from '../../../src/connectors/kafka/read/kafkaReader.ts'
import { PackedBatches } from '../../../src/connectors/kafka/protocol/packedBatches.ts'
import { ReadBudget } from '../../../src/connectors/kafka/read/readBudget.ts'
import { silentLogger } from '../../../src/core/ports/logger.ts'
import { ManualClock } from '../../../src/testing/world/manualClock.ts'
import { batchAround, bodyOf } from './protocol/storedBatches.ts'
import { at } from '../../support/positions.ts'

const mebibyte = 1024 * 1024
const recordMiB = 3
const budgetMiB = 4

/** Knows the most that was taken. */
class WatchedBudget extends ReadBudget {
  #bytes = 0
  most = 0

  override take(bytes: number): void {
    super.take(bytes)
    this.#bytes += bytes
    this.most = Math.max(this.most, this.#bytes)
  }
}

/** Stands in for the fetcher once it has an answer for each of its targets: hands them over as they are wanted. */
class FakeFetcher {
  readonly targets: FetchTarget[] = []
  readonly #stretches: { readonly target: FetchTarget; readonly stretch: FetchedStretch }[] = []
  #running = 0

  add(target: FetchTarget): void {
    this.targets.push(target)
  }

  remove(target: FetchTarget): void {
    this.#stretches.find((each) => each.target === target)?.stretch.close()
  }

  answered(batch: Buffer): void {
    for (const target of this.targets) {
      const options = { target, clock: new ManualClock(0), log: silentLogger, damagedMs: 0 }
      const failing = new UnreadableStretch({
        ...options,
        end: (error) => {
          throw error
        },
      })
      const batches = new PackedBatches(
        { topic: target.topic, partition: target.partition, offset: 0, bytes: batch, aborted: [] },
        { maxRecordBytes: 64 * mebibyte, skips: () => false, soon: setImmediate },
      )
      this.#stretches.push({ target, stretch: new FetchedStretch({ target, failing, batches, broker: 1 }) })
    }
  }

  wake(): void {
    for (const { target, stretch } of this.#stretches) {
      if (!stretch.busy && !stretch.done && target.wanted) void this.#goOn(target, stretch)
    }
  }

  /** Until nothing is being unpacked any more. */
  async idle(): Promise<void> {
    await turn()
    while (this.#running > 0) await turn()
  }

  async #goOn(target: FetchTarget, stretch: FetchedStretch): Promise<void> {
    const { offset } = target
    this.#running += 1
    await stretch.handOver({ atOnce: false })
    this.#running -= 1
    if (target.offset !== offset) this.wake()
  }
}

describe('records that are as large as what a process may read ahead', () => {
  let batch: Buffer

  beforeAll(async () => {
    const value = Buffer.alloc(recordMiB * mebibyte)
    batch = await batchAround(await bodyOf([{ timestamp: 1, key: null, value, headers: [] }]), {
      count: 1,
      codec: 'gzip',
    })
  })

  const world = (tasks: number, inputs: number) => {
    const fetcher = new FakeFetcher()
    const clock = new ManualClock(0)
    const budget = new WatchedBudget(budgetMiB * mebibyte, clock)
    const readers = Array.from({ length: tasks }, (_, partition) => {
      const topics = Array.from({ length: inputs }, (_each, n) => [`orders-${String(n)}`, 0] as const)
      return new KafkaReader({
        partition,
        positions: at(Object.fromEntries(topics)),
        ends: null,
        topicIds: new Map(),
        leaderEpochs: new Map(),
        // The reader calls only what the fake has.
        fetcher: fetcher as unknown as Fetcher,
        budget,
        readAhead: { records: 10_000, bytes: mebibyte },
        skips: [],
        log: silentLogger,
      })
    })
    fetcher.answered(batch)
    return { fetcher, clock, budget, readers }
  }
  const readable = (readers: readonly KafkaReader[]) => readers.filter((reader) => reader.readable).length

  test('of one task with twelve inputs are unpacked one after the other, as the queue has room', async () => {
    const { fetcher, budget, readers } = world(1, 12)
    const [reader] = readers
    const read: (StreamRecord | undefined)[] = []
    while (read.length < 12) {
      fetcher.wake()
      await fetcher.idle()
      read.push(reader?.next())
      expect(reader?.next()).toBeUndefined()
    }
    expect(new Set(read.map((record) => record?.topic)).size).toBe(12)
    expect(budget.most / mebibyte).toBeLessThan(recordMiB + 3)
  })

  test('of eight tasks come in turns, one of them beyond what the process may have, and all of them come', async () => {
    const { fetcher, budget, readers } = world(8, 1)
    const read: StreamRecord[] = []
    fetcher.wake()
    while (read.length < 8) {
      await fetcher.idle()
      const record = readers.find((reader) => reader.readable)?.next()
      if (record === undefined) throw new Error(`nothing more comes behind ${String(read.length)} records`)
      read.push(record)
    }
    expect(new Set(read.map(({ partition }) => partition)).size).toBe(8)
    // One that had room, one beyond it, and one that had begun before.
    expect(budget.most / mebibyte).toBeLessThan(budgetMiB + 3 * recordMiB)
  })

  test('that nobody takes hold up nobody: after a while it is the next one’s turn', async () => {
    const { fetcher, clock, readers } = world(5, 1)
    fetcher.wake()
    await fetcher.idle()
    const [atOnce] = [readable(readers)]
    expect(atOnce).toBeLessThanOrEqual(3)
    for (let n = 0; n < 5; n += 1) {
      await clock.advance(200)
      await fetcher.idle()
    }
    expect(readable(readers)).toBe(5)
  })

  test('of a reader that is closed in its turn leave the turn to the next one', async () => {
    const { fetcher, readers } = world(5, 1)
    fetcher.wake()
    await fetcher.idle()
    for (const reader of readers) {
      await fetcher.idle()
      expect(readable(readers)).toBeGreaterThan(0)
      reader.close()
    }
  })
})
