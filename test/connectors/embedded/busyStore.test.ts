import { join } from 'node:path'
import { Level } from 'level'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { EmbeddedStore } from '../../../src/connectors/embedded/store/embeddedStore.ts'
import { inspectStore, verifyStore } from '../../../src/connectors/embedded/damage/verifyStore.ts'
import { formatKey, offsetKey } from '../../../src/connectors/embedded/store/storeKeys.ts'
import { systemClock } from '../../../src/core/ports/clock.ts'
import { StoredFile } from '../../../src/leveldb/storedFile.ts'
import { temporaryDirectory } from './temporaryDirectory.ts'

/** What another process does, each time that a log has been read. */
let acts: (() => Promise<void>)[] = []

let directory: Awaited<ReturnType<typeof temporaryDirectory>>
let log: string

const nothing = (): Promise<void> => Promise.resolve()

async function upgrade(): Promise<void> {
  const store = await EmbeddedStore.open(log, { clock: systemClock })
  await store.close()
}

beforeEach(async () => {
  const close = Reflect.get(StoredFile.prototype, 'close')
  vi.spyOn(StoredFile.prototype, 'close').mockImplementation(async function (this: StoredFile) {
    await close.call(this)
    if (this.name.endsWith('.log')) await acts.shift()?.()
  })
  directory = await temporaryDirectory()
  log = join(directory.path, 'log')
  const db = new Level<Buffer, Buffer>(log, { keyEncoding: 'buffer', valueEncoding: 'buffer' })
  await db.put(formatKey, Buffer.from('1'))
  await db.put(offsetKey('group', 'orders', 0), Buffer.from(JSON.stringify({ offset: 1, metadata: '' })))
  await db.close()
})
afterEach(async () => {
  acts = []
  vi.restoreAllMocks()
  await directory.remove()
})

// The format was read before the upgrade and the content behind it: "The committed offset of group group … is damaged".
test('a store that another process upgrades while it is verified is not damaged', async () => {
  acts = [nothing, upgrade]
  await expect(verifyStore(log)).resolves.toMatchObject({ witness: { closed: true } })
  expect(acts).toEqual([])
})

test('a store that another process upgrades while it is inspected is not damaged', async () => {
  acts = [nothing, upgrade]
  expect(await inspectStore(log)).toMatchObject({ fileDamages: [], survey: { format: '2', damages: [] } })
  expect(acts).toEqual([])
})

test('a store in which something changes each time that it is read is in use', async () => {
  const db = new Level<Buffer, Buffer>(log, { keyEncoding: 'buffer', valueEncoding: 'buffer' })
  await db.put(offsetKey('group', 'orders', 0), Buffer.from('damaged'))
  await db.close()
  await expect(verifyStore(log)).rejects.toMatchObject({ code: 'corrupt-store' })
  const change = async (): Promise<void> => {
    const again = new Level<Buffer, Buffer>(log, { keyEncoding: 'buffer', valueEncoding: 'buffer' })
    await again.put(offsetKey('group', 'orders', 1), Buffer.alloc(acts.length))
    await again.close()
  }
  acts = Array.from({ length: 20 }, () => change)
  await expect(verifyStore(log)).rejects.toMatchObject({ code: 'directory-in-use' })
})
