import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Level } from 'level'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { localPositionKey, stateEntryKey } from '../../src/state/changelogKey.ts'
import { LevelStateStore } from '../../src/state/levelStateStore.ts'
import type { StorePosition } from '../../src/state/stateStore.ts'
import { stateStoreConformance } from '../conformance/stateStore.ts'

const temporaryDirectory = (): Promise<string> => mkdtemp(join(tmpdir(), 'tidemark-state-'))

stateStoreConformance('level', async () => {
  const directory = await temporaryDirectory()
  return {
    store: () => new LevelStateStore(join(directory, 'task-0')),
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
    const first = new LevelStateStore(directory)
    await first.open()
    await expect(new LevelStateStore(directory).open()).rejects.toMatchObject({
      code: 'directory-in-use',
      details: { directory },
    })
    await first.close()
  })

  test('takes no write after one that the disk refused, until it is opened again', async () => {
    const store = new LevelStateStore(directory)
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

  test.each([
    ['damaged', (file: string) => writeFile(file, 'no manifest')],
    ['gone', (file: string) => rm(file)],
  ])('a directory of which a file is %s is emptied, because the changelog holds its content', async (_how, damage) => {
    const store = new LevelStateStore(directory)
    await store.open()
    await store.apply([{ key, value: Buffer.from('1') }], position)
    await store.close()
    for (const file of await readdir(directory)) if (file.startsWith('MANIFEST')) await damage(join(directory, file))
    await store.open()
    expect(store.position).toBeNull()
    expect(store.get(key)).toBeUndefined()
    await store.close()
  })

  test('a path that cannot be a directory is a setting error', async () => {
    const file = join(directory, 'file')
    await writeFile(file, '')
    await expect(new LevelStateStore(join(file, 'state')).open()).rejects.toMatchObject({ code: 'invalid-setting' })
  })

  test.each(['', '{', 'null', '{"version":2}', '{"version":1,"epoch":-1}'])(
    'a position that reads %j is no position',
    async (text) => {
      const db = new Level<Buffer, Buffer>(directory, { keyEncoding: 'buffer', valueEncoding: 'buffer' })
      await db.put(localPositionKey, Buffer.from(text))
      await db.close()
      const store = new LevelStateStore(directory)
      await store.open()
      expect(store.position).toBeNull()
      await store.close()
    },
  )
})
