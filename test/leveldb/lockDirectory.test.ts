import { readdir, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { lockDirectory } from '../../src/leveldb/lockDirectory.ts'
import { removeStore, temporaryDirectory } from '../support/damage/randomStore.ts'

let place: string
beforeEach(async () => {
  place = path.join(await temporaryDirectory(), 'lock')
})
afterEach(() => removeStore(place))

test('a lock is held once, and again after it was released', async () => {
  const first = await lockDirectory(place)
  expect(first).not.toBeNull()
  expect(await lockDirectory(place)).toBeNull()
  await first?.release()
  const second = await lockDirectory(place)
  expect(second).not.toBeNull()
  await second?.release()
})

test('its directory is for this user alone', async () => {
  const lock = await lockDirectory(place)
  expect((await stat(place)).mode & 0o777).toBe(0o700)
  await lock?.release()
})

test('a lock of which every file is damaged is taken all the same', async () => {
  await (await lockDirectory(place))?.release()
  for (const name of await readdir(place)) if (name !== 'LOCK') await writeFile(path.join(place, name), 'damaged')
  const lock = await lockDirectory(place)
  expect(lock).not.toBeNull()
  await lock?.release()
})

test('damage does not take it from its holder', async () => {
  const lock = await lockDirectory(place)
  for (const name of await readdir(place)) if (name !== 'LOCK') await writeFile(path.join(place, name), 'damaged')
  expect(await lockDirectory(place)).toBeNull()
  await lock?.release()
})

test('a place that cannot be a directory is named', async () => {
  await writeFile(path.join(path.dirname(place), 'lock'), '')
  await expect(lockDirectory(place)).rejects.toMatchObject({ code: 'unsafe-path', details: { path: place } })
})
