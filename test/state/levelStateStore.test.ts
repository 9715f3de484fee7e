import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Level } from 'level'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { stateEntryKey } from './stateEntryKey.ts'
import { localPositionKey } from '../../src/state/changelogKey.ts'
import { LevelStateStore } from '../../src/state/levelStateStore.ts'
import { ValueSeal } from '../../src/leveldb/valueSeal.ts'
import type { StorePosition } from '../../src/state/stateStore.ts'
import { TestLogger } from '../../src/testing/kit/testLogger.ts'
import { stateStoreConformance } from '../conformance/stateStore.ts'

const temporaryDirectory = (): Promise<string> => mkdtemp(join(tmpdir(), 'tidemark-state-'))

let log = new TestLogger()
beforeEach(() => {
  log = new TestLogger()
})

function newStore(directory: string): LevelStateStore {
  return new LevelStateStore(directory, { log })
}

stateStoreConformance('level', async () => {
  const directory = await temporaryDirectory()
  return {
    store: () => newStore(join(directory, 'task-0')),
    remove: () => rm(directory, { recursive: true }),
  }
})

describe('LevelStateStore', () => {
  const key = stateEntryKey(0, 'count', Buffer.from('a'))
  const position: StorePosition = {
    epoch: 1,
    nonce: 'n',
    lineage: 'a',
    generation: 0,
    changelogEnd: 10,
    appliedAtMs: 1_000,
  }
  let directory: string

  beforeEach(async () => {
    directory = await temporaryDirectory()
  })
  afterEach(() => rm(directory, { recursive: true }))

  test('a second store on one directory is refused with its path', async () => {
    const first = newStore(directory)
    await first.open()
    await expect(newStore(directory).open()).rejects.toMatchObject({
      code: 'directory-in-use',
      details: { directory },
    })
    await first.close()
  })

  test('takes no write after one that the disk refused, until it is opened again', async () => {
    const store = newStore(directory)
    await store.open()
    await store.apply([{ key, value: Buffer.from('1') }], position)
    const full = Object.assign(new Error('IO error: No space left on device'), { code: 'LEVEL_IO_ERROR' })
    const batch = vi.spyOn(Level.prototype, 'batch').mockImplementationOnce(() => {
      throw full
    })
    const refused = { code: 'disk-failed', message: expect.stringContaining('No space left'), details: { directory } }
    const next = { ...position, epoch: 2 }
    await expect(store.apply([{ key, value: Buffer.from('2') }], next)).rejects.toMatchObject(refused)
    batch.mockRestore()
    await expect(store.apply([{ key, value: Buffer.from('3') }], next)).rejects.toMatchObject(refused)
    await expect(store.wipe()).rejects.toMatchObject(refused)
    expect(store.get(key)?.toString()).toBe('1')
    await store.close()
    await store.open()
    expect(store.position).toEqual(position)
    await store.apply([{ key, value: Buffer.from('3') }], next)
    expect(store.get(key)?.toString()).toBe('3')
    await store.close()
  })

  async function leaveStore(): Promise<void> {
    const store = newStore(directory)
    await store.open()
    await store.apply([{ key, value: Buffer.from('1') }], position)
    await store.close()
    // A table, too.
    await store.open()
    await store.apply([{ key, value: Buffer.from('2') }], { ...position, epoch: 2 })
    await store.close()
  }

  const flip = async (file: string): Promise<void> => {
    const bytes = await readFile(file)
    const at = Math.floor(bytes.length / 2)
    bytes[at] = (bytes[at] ?? 0) ^ 1
    await writeFile(file, bytes)
  }

  test.each([
    ['MANIFEST', 'is damaged', (file: string) => writeFile(file, 'no manifest')],
    ['MANIFEST', 'is gone', (file: string) => rm(file)],
    ['CURRENT', 'is gone', (file: string) => rm(file)],
    ['.log', 'has a bit flipped', flip],
    ['.log', 'is torn', async (file: string) => writeFile(file, (await readFile(file)).subarray(0, -3))],
    ['.log', 'is gone', (file: string) => rm(file)],
    ['.ldb', 'has a bit flipped', flip],
    ['.ldb', 'is gone', (file: string) => rm(file)],
  ])(
    'a directory in which a file %s %s is emptied with one line, because the changelog holds its content',
    async (kind, _how, damage) => {
      await leaveStore()
      const files = (await readdir(directory)).filter((name) => name.includes(kind))
      expect(files).not.toEqual([])
      for (const name of files) await damage(join(directory, name))
      const store = newStore(directory)
      await store.open()
      expect(store.position).toBeNull()
      expect(store.get(key)).toBeUndefined()
      expect(log.lines).toMatchObject([
        { level: 'warn', message: expect.stringContaining('restored from its changelog') },
      ])
      const [line] = log.lines
      expect(files).toContain(line?.fields['file'])
      expect(line?.fields).toMatchObject({ directory, offset: expect.any(Number), reason: expect.any(String) })
      await store.apply([{ key, value: Buffer.from('3') }], position)
      await store.close()
      await store.open()
      expect(store.get(key)?.toString()).toBe('3')
      expect(log.lines).toHaveLength(1)
      await store.close()
    },
  )

  test('a store that was left whole is opened without a line', async () => {
    await leaveStore()
    const store = newStore(directory)
    await store.open()
    expect(store.get(key)?.toString()).toBe('2')
    expect(store.position?.epoch).toBe(2)
    await store.close()
    expect(log.lines).toEqual([])
  })

  test('a store of the version before checksums is emptied with a line', async () => {
    const db = new Level<Buffer, Buffer>(directory, { keyEncoding: 'buffer', valueEncoding: 'buffer' })
    await db.put(key, Buffer.from('1'))
    await db.put(localPositionKey, Buffer.from(JSON.stringify({ version: 1, ...position })))
    await db.close()
    const store = newStore(directory)
    await store.open()
    expect([store.position, store.get(key)]).toEqual([null, undefined])
    expect(log.lines).toMatchObject([{ fields: { reason: 'it is in the format of an earlier version' } }])
    await store.close()
  })

  test.each([
    ['a value is another than the one that was stored', () => Buffer.from('9 and a checksum')],
    ['a value is shorter than its checksum', () => Buffer.from('9')],
    [
      'LevelDB says that a block is corrupt',
      () => {
        throw Object.assign(new Error('Corruption: bad entry in block'), { code: 'LEVEL_CORRUPTION' })
      },
    ],
  ])('while it is open: %s. Nothing is read or written any more, and wipe makes it anew', async (_what, read) => {
    await leaveStore()
    const store = newStore(directory)
    await store.open()
    const reading = vi.spyOn(Level.prototype, 'getSync').mockImplementationOnce(read)
    expect(() => store.get(key)).toThrow(expect.objectContaining({ code: 'damaged-state', details: { directory } }))
    reading.mockRestore()
    expect(store.position).toBeNull()
    await expect(store.apply([], position)).rejects.toMatchObject({ code: 'damaged-state' })
    expect(store.position).toBeNull()
    await store.wipe()
    expect(store.get(key)).toBeUndefined()
    await store.load([{ key, value: Buffer.from('3') }])
    await store.apply([], position)
    expect([store.get(key)?.toString(), store.position]).toEqual(['3', position])
    expect(log.lines).toHaveLength(1)
    await store.close()
  })

  test('a value that stands under another key is damage', async () => {
    await leaveStore()
    const store = newStore(directory)
    await store.open()
    const other = stateEntryKey(0, 'count', Buffer.from('b'))
    await store.apply([{ key: other, value: Buffer.from('5') }], position)
    const reading = vi
      .spyOn(Level.prototype, 'getSync')
      .mockImplementationOnce(() => new ValueSeal().seal(key, Buffer.from('2')))
    expect(() => store.get(other)).toThrow(expect.objectContaining({ code: 'damaged-state' }))
    reading.mockRestore()
    await store.close()
  })

  test('a path that cannot be a directory is a setting error', async () => {
    const file = join(directory, 'file')
    await writeFile(file, '')
    await expect(newStore(join(file, 'state')).open()).rejects.toMatchObject({ code: 'invalid-setting' })
  })

  test.each(['', '{', 'null', '{"version":3}', '{"version":2,"epoch":-1}'])(
    'a position that reads %j is no position',
    async (text) => {
      const db = new Level<Buffer, Buffer>(directory, { keyEncoding: 'buffer', valueEncoding: 'buffer' })
      await db.put(localPositionKey, new ValueSeal().seal(localPositionKey, Buffer.from(text)))
      await db.close()
      const store = newStore(directory)
      await store.open()
      expect(store.position).toBeNull()
      await store.close()
    },
  )
})
