import { beforeAll, describe, expect, test } from 'vitest'
import { RecordBatch, encodeRecordBatch } from '../../../../src/connectors/embedded/store/recordBatch.ts'
import {
  batchKey,
  batchLastOffset,
  formatKey,
  topicKey,
  upgradingKey,
  wipingKey,
} from '../../../../src/connectors/embedded/store/storeKeys.ts'
import { callsOf, dieAt, everyCrash } from '../../../support/crashes/mortalProcess.ts'
import { asFormat1, dumpDisk, dumpStore, fillStore } from '../damagedDisk.ts'
import { Disk, openOnDisk } from '../diskStorage.ts'

const changelogPrefix = batchKey(1, 0, 0).toString('latin1', 0, 9)

let undamaged: readonly string[]
let format1: Disk

beforeAll(async () => {
  const disk = new Disk()
  await fillStore(await openOnDisk(disk))
  undamaged = await dumpStore(await openOnDisk(disk))
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

function fail(): never {
  throw new Error('the store has no such entry')
}

describe('a store of format 1', () => {
  test('becomes one of format 2 with everything in it, with a line', async () => {
    const disk = format1.copy()
    const notices: string[] = []
    const note = (line: string): number => notices.push(line)
    expect(await dumpStore(await openOnDisk(disk, { note }))).toEqual(undamaged)
    expect(notices).toEqual([
      '/nowhere is of store format 1, and becomes one of format 2, in which every value has a checksum. Tidemark 0.1.0 cannot read it then',
    ])
    expect(disk.written.get(formatKey.toString('latin1'))?.[1].toString()).toMatch(/^2 [0-9a-f]{16}/)
    expect(disk.written.has(upgradingKey.toString('latin1'))).toBe(false)
    expect(await dumpStore(await openOnDisk(disk, { note }))).toEqual(undamaged)
    expect(notices).toHaveLength(1)
  })

  test('is whole wherever the upgrade is killed, and the next open finishes it', async () => {
    const calls = await callsOf((mortal) => openOnDisk(format1.copy(), { mortal }))
    expect(calls).toBeGreaterThan(20)
    let upgrading = 0
    for (const crash of everyCrash(calls)) {
      const disk = format1.copy()
      await dieAt(crash, (mortal) => openOnDisk(disk, { mortal }))
      disk.loseUnsynced()
      if (disk.written.has(upgradingKey.toString('latin1'))) upgrading += 1
      expect(await dumpDisk(disk), `call ${String(crash.call)}`).toEqual(undamaged)
    }
    expect(upgrading).toBeGreaterThan(3)
  })

  test('is upgraded in several writes where it is large', async () => {
    const disk = format1.copy()
    const entries = new Map(disk.written)
    for (let n = 0; n < 2_500; n += 1) {
      const key = Buffer.concat([Buffer.from('w\0\0\0\0'), Buffer.from(`row ${String(n)}`)])
      entries.set(key.toString('latin1'), [key, Buffer.from(`{"id":${String(n)},"name":"ä"}`)])
    }
    disk.written = entries
    const store = await openOnDisk(disk)
    const table = store.tables.list().find(({ id }) => id === 0)
    expect(store.tables.row(table ?? fail(), Buffer.from('row 2499'))).toBe('{"id":2499,"name":"ä"}')
  })

  test.each([
    ['a record', 'r'],
    ['a row', 'w'],
    ['the settings of a topic', 't'],
    ['a committed offset', 'o'],
    ['the definition of a table', 'd'],
  ])('in which %s is damaged is refused, and left as it is', async (_what, tag) => {
    const disk = format1.copy()
    const entries = new Map(disk.written)
    const [name, [key, value]] = [...entries].find(([each]) => each.startsWith(tag)) ?? fail()
    const changed = Buffer.from(value)
    changed[0] = (changed[0] ?? 0) ^ 0x40
    disk.written = entries.set(name, [key, changed])
    const before = new Map(disk.written)
    await expect(openOnDisk(disk)).rejects.toMatchObject({ code: 'corrupt-store' })
    expect(disk.written).toEqual(before)
  })

  test('that misses a batch of a topic is refused, but for those of changelogs', async () => {
    const disk = format1.copy()
    const entries = new Map(disk.written)
    entries.delete(batchKey(0, 1, 2).toString('latin1'))
    disk.written = entries
    await expect(openOnDisk(disk)).rejects.toMatchObject({
      code: 'corrupt-store',
      details: { topic: 'in', partition: 1, offset: 2, until: 3 },
    })
  })

  test('that has lost the settings of a topic is refused', async () => {
    const disk = format1.copy()
    const entries = new Map(disk.written)
    entries.delete(topicKey('in').toString('latin1'))
    disk.written = entries
    await expect(openOnDisk(disk)).rejects.toMatchObject({
      code: 'corrupt-store',
      message: expect.stringContaining('records of topic number 0'),
    })
  })

  test('whose wipe was interrupted is empty, unless the entry that says so is none that was ever written', async () => {
    for (const [text, code] of [
      ['the store is being cleared', null],
      ['the store is being cleaved', 'corrupt-store'],
    ] as const) {
      const disk = format1.copy()
      disk.written = new Map(disk.written).set(wipingKey.toString('latin1'), [wipingKey, Buffer.from(text)])
      if (code === null) expect((await openOnDisk(disk)).isEmpty()).toBe(true)
      else await expect(openOnDisk(disk)).rejects.toMatchObject({ code })
    }
  })
})
