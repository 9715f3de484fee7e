import { describe, expect, test } from 'vitest'
import { LogScan } from '../../../src/leveldb/logScan.ts'
import { batchEntries } from '../../../src/leveldb/writeBatch.ts'
import { restore } from '../../../src/state/restore.ts'
import type { StorePosition } from '../../../src/state/stateStore.ts'
import { lineageEntry } from '../../../src/state/changelogRecords.ts'
import { stateEntryKey } from '../../state/stateEntryKey.ts'
import type { ChangelogEntry } from '../../../src/core/ports/changelog.ts'
import { ManualClock } from '../../../src/testing/world/manualClock.ts'
import { seededRandom } from '../../../src/testing/world/seededRandom.ts'
import { encodeBatch, encodeRecord, SimulatedDisk } from '../../../src/testing/simulation/simulatedDisk.ts'
import { stateStoreConformance } from '../../conformance/stateStore.ts'

stateStoreConformance('simulated disk', () => {
  const disk = new SimulatedDisk()
  return Promise.resolve({ store: () => disk.store(() => false), remove: () => Promise.resolve() })
})

describe('the log of a simulated disk', () => {
  test('is read as it was written, whatever the size of a record', () => {
    for (let size = 0; size < 300; size += 7) {
      const entries: ChangelogEntry[] = [
        { key: Buffer.alloc(size % 50, 'k'), value: Buffer.alloc(size, 'v') },
        { key: Buffer.from('gone'), value: null },
      ]
      const parts: Buffer[] = []
      let length = 0
      for (let index = 0; index < 5; index += 1) {
        const record = encodeRecord(encodeBatch(1 + index * 2, entries), length)
        parts.push(record)
        length += record.length
      }
      const log = Buffer.concat(parts)
      const read: unknown[] = []
      const scan = new LogScan({
        blockBytes: 64,
        keepBytes: Infinity,
        take: (_offset, record) => read.push(...[...batchEntries(record)].map(({ key, value }) => ({ key, value }))),
      })
      for (let at = 0; at < log.length; at += 64) scan.push(log.subarray(at, at + 64))
      expect(scan.end()).toBeNull()
      expect(read).toEqual(Array.from({ length: 5 }, () => entries).flat())
    }
  })
})

describe('a simulated disk', () => {
  const lineage = { lineage: 'a', generation: 0 }
  const at = (epoch: number, changelogEnd: number): StorePosition => ({
    ...lineage,
    epoch,
    nonce: `nonce ${String(epoch)}`,
    changelogEnd,
    appliedAtMs: 0,
  })
  const text = (values: ReadonlyMap<string, string>): readonly unknown[] =>
    [...values].toSorted(([a], [b]) => (a < b ? -1 : 1))

  test.each(['power loss', 'damage'] as const)('after a %s is as it was after some commit, or empty', async (fault) => {
    const found = new Map<string, number>()
    for (let seed = 1; seed <= 300; seed += 1) {
      const random = seededRandom(seed)
      const disk = new SimulatedDisk()
      const store = disk.store(() => false)
      await store.open()
      const changelog: ChangelogEntry[] = [lineageEntry(lineage)]
      const states = new Map<string | undefined, readonly unknown[]>([[undefined, []]])
      let epoch = 0
      for (; epoch < 12; epoch += 1) {
        const delta = Array.from({ length: 1 + Math.floor(random.next() * 3) }, (_, index): ChangelogEntry => ({
          key: stateEntryKey(0, 'count', Buffer.from(String(Math.floor(random.next() * 9)))),
          value: random.next() < 0.2 ? null : Buffer.from(`${String(epoch)} ${String(index)}`),
        }))
        changelog.push(...delta)
        await store.apply(delta, at(epoch, changelog.length))
        states.set(`nonce ${String(epoch)}`, text(disk.values))
      }
      const wanted = text(disk.values)
      if (fault === 'damage') disk.damage(random)
      else disk.losePower(random)
      const nonce = disk.position?.nonce
      expect([seed, text(disk.values)]).toEqual([seed, states.get(nonce)])
      const how = nonce === undefined ? 'empty' : disk.position?.epoch === epoch - 1 ? 'as before' : 'earlier'
      found.set(how, (found.get(how) ?? 0) + 1)
      // State equals the replay.
      const next = disk.store(() => false)
      await next.open()
      await restore(
        next,
        at(epoch - 1, changelog.length),
        {
          range: () => Promise.resolve({ start: 0, end: changelog.length }),
          async *read(from, to) {
            yield await Promise.resolve(changelog.slice(from, to))
          },
        },
        { clock: new ManualClock(1) },
      )
      expect([seed, text(disk.values)]).toEqual([seed, wanted])
    }
    expect([...found.keys()]).toContain('empty')
    if (fault === 'power loss') expect([...found.keys()].toSorted()).toEqual(['as before', 'earlier', 'empty'])
  })
})
