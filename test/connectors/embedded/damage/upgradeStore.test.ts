import { beforeAll, describe, expect, test } from 'vitest'
import { EmbeddedStore } from '../../../../src/connectors/embedded/store/embeddedStore.ts'
import { RecordBatch, encodeRecordBatch } from '../../../../src/connectors/embedded/store/recordBatch.ts'
import {
  batchKey,
  batchLastOffset,
  formatKey,
  topicKey,
  upgradingKey,
  wipingKey,
} from '../../../../src/connectors/embedded/store/storeKeys.ts'
import { systemClock } from '../../../../src/core/ports/clock.ts'
import { CrashingStorage, Disk, type CrashPoint } from '../crashingStorage.ts'
import { asFormat1, dumpDisk, dumpStore, fillStore, openDisk } from '../damagedDisk.ts'

const changelogPrefix = batchKey(1, 0, 0).toString('latin1', 0, 9)

let undamaged: readonly string[]
let format1: Disk

beforeAll(async () => {
  const disk = new Disk()
  await fillStore(await openDisk(disk))
  undamaged = await dumpStore(await openDisk(disk))
  asFormat1(disk)
  openGap(disk)
  format1 = disk
})

/** As compaction of format 1 left it: where it had emptied batches there is none. */
function openGap(disk: Disk): void {
  const entries = new Map(disk.written)
  const [name, [key, value]] = [...entries].find(([each]) => each.startsWith(changelogPrefix)) ?? fail()
  const lastOffset = batchLastOffset(key)
  const { range, ...batch } = new RecordBatch({ topic: '', partition: 0, lastOffset }, value)
  // The test is of nothing otherwise.
  expect(range.last - range.first).toBeGreaterThan(batch.count)
  const records = new RecordBatch({ topic: '', partition: 0, lastOffset }, value).records()
  const first = records[0]?.offset ?? range.last
  entries.set(name, [key, encodeRecordBatch({ first, last: range.last }, records)])
  disk.written = entries
  disk.synced = entries
}

function copyOf(disk: Disk): Disk {
  const copy = new Disk()
  copy.written = new Map(disk.written)
  copy.synced = copy.written
  return copy
}

function open(disk: Disk, crash: CrashPoint | null, notices: string[] = []): Promise<EmbeddedStore> {
  return EmbeddedStore.open('/nowhere', {
    clock: systemClock,
    partitions: 2,
    openStorage: () => Promise.resolve(new CrashingStorage(disk, crash)),
    note: (line) => notices.push(line),
  })
}

function fail(): never {
  throw new Error('the store has no such entry')
}

describe('a store of format 1', () => {
  test('becomes one of format 2 with everything in it, with a line', async () => {
    const disk = copyOf(format1)
    const notices: string[] = []
    expect(await dumpStore(await open(disk, null, notices))).toEqual(undamaged)
    expect(notices).toEqual([
      '/nowhere is of store format 1, and becomes one of format 2, in which every value has a checksum. Tidemark 0.1.0 cannot read it then',
    ])
    expect(disk.written.get(formatKey.toString('latin1'))?.[1].toString()).toMatch(/^2 [0-9a-f]{16}/)
    expect(disk.written.has(upgradingKey.toString('latin1'))).toBe(false)
    expect(await dumpStore(await open(disk, null, notices))).toEqual(undamaged)
    expect(notices).toHaveLength(1)
  })

  test('is whole wherever the upgrade is killed, and the next open finishes it', async () => {
    const counting = new CrashingStorage(copyOf(format1))
    await EmbeddedStore.open('', { clock: systemClock, openStorage: () => Promise.resolve(counting) })
    expect(counting.calls).toBeGreaterThan(20)
    let upgrading = 0
    for (let call = 0; call < counting.calls; call += 1) {
      for (const effect of [false, true]) {
        const disk = copyOf(format1)
        const crash = open(disk, { call, effect })
        await expect(crash).rejects.toThrow(/the process is dead/)
        disk.loseUnsynced()
        if (disk.written.has(upgradingKey.toString('latin1'))) upgrading += 1
        expect(await dumpDisk(disk), `call ${String(call)}`).toEqual(undamaged)
      }
    }
    expect(upgrading).toBeGreaterThan(3)
  })

  test('is upgraded in several writes where it is large', async () => {
    const disk = copyOf(format1)
    const entries = new Map(disk.written)
    for (let n = 0; n < 2_500; n += 1) {
      const key = Buffer.concat([Buffer.from('w\0\0\0\0'), Buffer.from(`row ${String(n)}`)])
      entries.set(key.toString('latin1'), [key, Buffer.from(`{"id":${String(n)},"name":"ä"}`)])
    }
    disk.written = entries
    const store = await open(disk, null)
    const table = store.tables.catalog.list().find(({ id }) => id === 0)
    expect(store.tables.row(table ?? fail(), Buffer.from('row 2499'))).toBe('{"id":2499,"name":"ä"}')
  })

  test.each([
    ['a record', 'r'],
    ['a row', 'w'],
    ['the settings of a topic', 't'],
    ['a committed offset', 'o'],
    ['the definition of a table', 'd'],
  ])('in which %s is damaged is refused, and left as it is', async (_what, tag) => {
    const disk = copyOf(format1)
    const entries = new Map(disk.written)
    const [name, [key, value]] = [...entries].find(([each]) => each.startsWith(tag)) ?? fail()
    const changed = Buffer.from(value)
    changed[0] = (changed[0] ?? 0) ^ 0x40
    disk.written = entries.set(name, [key, changed])
    const before = new Map(disk.written)
    await expect(open(disk, null)).rejects.toMatchObject({ code: 'corrupt-store' })
    expect(disk.written).toEqual(before)
  })

  test('that misses a batch of a topic is refused, but for those of changelogs', async () => {
    const disk = copyOf(format1)
    const entries = new Map(disk.written)
    entries.delete(batchKey(0, 1, 2).toString('latin1'))
    disk.written = entries
    await expect(open(disk, null)).rejects.toMatchObject({
      code: 'corrupt-store',
      details: { topic: 'in', partition: 1, offset: 2, until: 3 },
    })
  })

  test('that has lost the settings of a topic is refused', async () => {
    const disk = copyOf(format1)
    const entries = new Map(disk.written)
    entries.delete(topicKey('in').toString('latin1'))
    disk.written = entries
    await expect(open(disk, null)).rejects.toMatchObject({
      code: 'corrupt-store',
      message: expect.stringContaining('records of topic number 0'),
    })
  })

  test('whose wipe was interrupted is empty, unless the entry that says so is none that was ever written', async () => {
    for (const [text, code] of [
      ['the store is being cleared', null],
      ['the store is being cleaved', 'corrupt-store'],
    ] as const) {
      const disk = copyOf(format1)
      disk.written = new Map(disk.written).set(wipingKey.toString('latin1'), [wipingKey, Buffer.from(text)])
      if (code === null) expect((await open(disk, null)).isEmpty()).toBe(true)
      else await expect(open(disk, null)).rejects.toMatchObject({ code })
    }
  })
})
