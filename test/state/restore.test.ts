import { describe, expect, test } from 'vitest'
import type { ChangelogEntry, OffsetRange } from '../../src/core/ports/changelog.ts'
import { stateEntryKey } from './stateEntryKey.ts'
import { lineageEntry } from '../../src/state/changelogRecords.ts'
import { MemoryStateDisk, MemoryStateStore } from '../../src/state/memoryStateStore.ts'
import { restore, restorePlan, type RestorePlan } from '../../src/state/restore.ts'
import type { CommittedState, StorePosition } from '../../src/state/stateStore.ts'
import { ManualClock } from '../../src/testing/world/manualClock.ts'

const committed: CommittedState = { epoch: 7, nonce: 'x', lineage: 'l', generation: 1, changelogEnd: 50 }
const nowMs = 100_000
const current: StorePosition = { ...committed, appliedAtMs: nowMs }
const behind: StorePosition = { ...current, epoch: 5, nonce: 'v', changelogEnd: 30 }

describe('restorePlan', () => {
  const cases: [string, StorePosition | null, RestorePlan, OffsetRange?][] = [
    ['nothing local', null, 'wipe'],
    ['the committed checkpoint', current, 'current'],
    ['the committed checkpoint, applied long ago', { ...current, appliedAtMs: 0 }, 'current'],
    ['the committed checkpoint at another changelog offset', { ...current, changelogEnd: 49 }, 'wipe'],
    ['an earlier checkpoint', behind, { from: 30 }],
    ['an earlier checkpoint without changes since', { ...behind, changelogEnd: 50 }, { from: 50 }],
    ['the same epoch by another attempt', { ...current, nonce: 'y' }, 'wipe'],
    ['a later epoch', { ...current, epoch: 8, nonce: 'z', changelogEnd: 60 }, 'wipe'],
    ['an earlier epoch that claims more changelog', { ...behind, changelogEnd: 51 }, 'wipe'],
    ['another lineage', { ...behind, lineage: 'k' }, 'wipe'],
    ['another lineage at the same checkpoint', { ...current, lineage: 'k' }, 'wipe'],
    ['another generation', { ...behind, generation: 0 }, 'wipe'],
    ['an earlier checkpoint just inside the age limit', { ...behind, appliedAtMs: nowMs - 1_000 }, { from: 30 }],
    ['an earlier checkpoint older than the limit', { ...behind, appliedAtMs: nowMs - 1_001 }, 'wipe'],
    ['an earlier checkpoint from the future', { ...behind, appliedAtMs: nowMs + 1_001 }, 'wipe'],
    ['an earlier checkpoint at the log start', behind, { from: 30 }, { start: 30, end: 50 }],
    ['an earlier checkpoint behind the log start', behind, 'wipe', { start: 31, end: 50 }],
  ]

  test.each(cases)('%s', (_, local, plan, range = { start: 0, end: 50 }) => {
    expect(restorePlan(local, committed, range, { nowMs, maxAgeMs: 1_000 })).toEqual(plan)
  })
})

/** A changelog of entries, one an offset, read in batches of two. */
function changelogOf(entries: readonly ChangelogEntry[], start = 0): Changelog {
  return new Changelog(entries, start)
}

class Changelog {
  readonly #entries: readonly ChangelogEntry[]
  readonly #start: number
  readonly readFrom: number[] = []
  failAt = Infinity

  constructor(entries: readonly ChangelogEntry[], start: number) {
    this.#entries = entries
    this.#start = start
  }

  range(): Promise<OffsetRange> {
    return Promise.resolve({ start: this.#start, end: this.#entries.length })
  }

  async *read(from: number, to: number): AsyncIterable<readonly ChangelogEntry[]> {
    this.readFrom.push(from)
    for (let offset = from; offset < to; offset += 2) {
      if (offset >= this.failAt) throw new Error('crash')
      yield await Promise.resolve(this.#entries.slice(offset, Math.min(to, offset + 2)))
    }
  }
}

const entry = (key: string, value: string | null, generation = 1): ChangelogEntry => ({
  key: stateEntryKey(generation, 'count', Buffer.from(key)),
  value: value === null ? null : Buffer.from(value),
})

describe('restore', () => {
  const clock = new ManualClock(nowMs)
  const entries = [
    entry('old', 'of another generation', 0),
    lineageEntry({ lineage: 'l', generation: 1 }),
    entry('a', '1'),
    entry('b', '2'),
    entry('a', null),
    entry('c', '3'),
    entry('d', 'beyond the commit'),
  ]
  const at = { ...committed, changelogEnd: 6 }
  const read = (store: MemoryStateStore, key: string): string | undefined => store.get(entry(key, null).key)?.toString()
  const opened = async (disk = new MemoryStateDisk()): Promise<MemoryStateStore> => {
    const store = new MemoryStateStore(disk)
    await store.open()
    return store
  }

  test('an empty store gets the committed state of its generation, and nothing beyond it', async () => {
    const disk = new MemoryStateDisk()
    const store = await opened(disk)
    expect(await restore(store, at, changelogOf(entries), { clock })).toMatchObject({ plan: 'wipe', entries: 6 })
    expect(['a', 'b', 'c', 'd'].map((key) => read(store, key))).toEqual([undefined, '2', '3', undefined])
    expect(disk.values.size).toBe(2)
    expect(store.position).toEqual({ ...at, appliedAtMs: nowMs })
  })

  test('a store behind is brought forward from its own position', async () => {
    const store = await opened()
    await store.apply([entry('a', '1'), entry('b', '2')], { ...behind, changelogEnd: 4 })
    const changelog = changelogOf(entries)
    expect(await restore(store, at, changelog, { clock })).toMatchObject({ plan: { from: 4 }, entries: 2 })
    expect(changelog.readFrom).toEqual([4])
    expect(['a', 'b', 'c'].map((key) => read(store, key))).toEqual([undefined, '2', '3'])
  })

  test('a current store reads nothing', async () => {
    const store = await opened()
    await store.apply([], { ...at, appliedAtMs: 0 })
    const changelog = changelogOf(entries)
    expect(await restore(store, at, changelog, { clock })).toMatchObject({ plan: 'current' })
    expect(changelog.readFrom).toEqual([])
  })

  test('what is wiped does not shine through', async () => {
    const store = await opened()
    await store.apply([entry('ghost', 'x')], { ...current, epoch: 9 })
    await restore(store, at, changelogOf(entries), { clock })
    expect(read(store, 'ghost')).toBeUndefined()
  })

  test.each([null, { ...behind, changelogEnd: 2 }])('a restore that crashed is repeated from %j', async (local) => {
    const disk = new MemoryStateDisk()
    const store = await opened(disk)
    disk.position = local
    const changelog = changelogOf(entries)
    changelog.failAt = 4
    await expect(restore(store, at, changelog, { clock })).rejects.toThrow('crash')
    expect(store.position).toEqual(local)
    changelog.failAt = Infinity
    await restore(store, at, changelog, { clock })
    expect(['a', 'b', 'c'].map((key) => read(store, key))).toEqual([undefined, '2', '3'])
  })

  test('a changelog that ends before the commit stops the start', async () => {
    const store = await opened()
    await expect(restore(store, { ...at, changelogEnd: 8 }, changelogOf(entries), { clock })).rejects.toMatchObject({
      code: 'data-removed',
    })
  })

  test("another lineage's changelog stops the start and leaves no state behind", async () => {
    const disk = new MemoryStateDisk()
    const store = await opened(disk)
    await expect(restore(store, { ...at, lineage: 'other' }, changelogOf(entries), { clock })).rejects.toMatchObject({
      code: 'corrupt-store',
    })
    expect(disk.values.size).toBe(0)
  })

  test.each([
    ['the lineage record', 2],
    ['some of the state as well', 4],
    ['everything', 6],
  ])('a changelog that has lost its head stops a full restore and leaves no state behind: %s', async (_, start) => {
    const disk = new MemoryStateDisk()
    const store = await opened(disk)
    await expect(restore(store, at, changelogOf(entries, start), { clock })).rejects.toMatchObject({
      code: 'data-removed',
      message: expect.stringMatching(/no lineage record of generation 1.*--reset-offsets/) as unknown,
    })
    expect({ values: disk.values.size, position: store.position }).toEqual({ values: 0, position: null })
  })

  test('a changelog that has lost nothing but an older generation is restored whole', async () => {
    const store = await opened()
    await restore(store, at, changelogOf(entries, 1), { clock })
    expect(['a', 'b', 'c'].map((key) => read(store, key))).toEqual([undefined, '2', '3'])
  })

  test('a store that is brought forward needs no head', async () => {
    const store = await opened()
    await store.apply([entry('a', '1'), entry('b', '2')], { ...behind, changelogEnd: 4 })
    await restore(store, at, changelogOf(entries, 4), { clock })
    expect(['a', 'b', 'c'].map((key) => read(store, key))).toEqual([undefined, '2', '3'])
  })

  test('a task without any changelog is restored to empty state', async () => {
    const store = await opened()
    await restore(store, { ...committed, changelogEnd: 0 }, changelogOf([]), { clock })
    expect(store.position).toMatchObject({ epoch: 7, changelogEnd: 0 })
  })
})
