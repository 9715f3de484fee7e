import { readFile, readdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { readLevelEntries } from '../../src/leveldb/readLevelEntries.ts'
import { unpackBlock, blockContent, blockEntries } from '../../src/leveldb/tableBlocks.ts'
import { verifyLevel } from '../../src/leveldb/verifyLevel.ts'
import { VersionEdits } from '../../src/leveldb/readVersion.ts'
import { batchEntries } from '../../src/leveldb/writeBatch.ts'
import { crc32c } from '../../src/codecs/crc32c.ts'
import { maskedCrc } from '../../src/leveldb/diskBytes.ts'
import { seededRandom } from '../../src/testing/world/seededRandom.ts'
import { copyStore, removeStore, writeRandomStore, type RandomStore } from '../support/damage/randomStore.ts'

let store: RandomStore
const made: string[] = []
beforeAll(async () => {
  store = await writeRandomStore({ seed: 50, compression: true, lives: 2 })
  made.push(store.directory)
})
afterAll(async () => {
  for (const directory of made) await removeStore(directory)
})

const refused = expect.objectContaining({ code: 'corrupt-store' })

test('files of random bytes, and files with random bytes in them, are damage and nothing worse', async () => {
  const random = seededRandom(51)
  const names = (await readdir(store.directory)).filter((name) => /^(\d+\.(log|ldb)|MANIFEST-\d+|CURRENT)$/.test(name))
  for (let trial = 0; trial < 60; trial += 1) {
    const directory = await copyStore(store.directory)
    made.push(directory)
    const name = names[trial % names.length] ?? ''
    const bytes = await readFile(path.join(directory, name))
    const whole = random.next() < 0.3
    const at = whole ? 0 : Math.floor(random.next() * bytes.length)
    const end = whole ? bytes.length : Math.min(bytes.length, at + 1 + Math.floor(random.next() * 200))
    for (let index = at; index < end; index += 1) bytes[index] = Math.floor(random.next() * 256)
    await writeFile(path.join(directory, name), bytes)
    const { damages } = await verifyLevel(directory)
    for (const { offset } of damages) expect(offset).toBeLessThanOrEqual(bytes.length + 1_000_000)
    let entries = 0
    for await (const { sequence } of readLevelEntries(directory)) entries += sequence > 0 ? 1 : 0
    expect([name, entries > 0]).toEqual([name, true])
  }
})

test('a block that claims to unpack to more than it can, or repeats what is not there, is refused before anything is made', () => {
  const packed = (...bytes: readonly number[]): Buffer => Buffer.from(bytes)
  expect(unpackBlock(packed(5, 4 << 2, 1, 2, 3, 4, 5), 100)).toEqual(packed(1, 2, 3, 4, 5))
  // One literal, and then a copy of four from one byte before.
  expect(unpackBlock(packed(5, 0, 7, 1, 1), 100)).toEqual(packed(7, 7, 7, 7, 7))
  for (const hostile of [
    packed(0xff, 0xff, 0xff, 0xff, 0x0f, 0, 1),
    packed(4, 1, 1),
    packed(5, 0, 7, 1, 2),
    packed(2, 0, 7, 1, 1),
    packed(9, 0, 7),
    packed(5, 63 << 2, 1),
    packed(0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80),
    packed(),
  ]) {
    expect(() => unpackBlock(hostile, 100)).toThrow(refused)
  }
  expect(() => unpackBlock(packed(200, 1, ...Array.from({ length: 30 }, () => 0)), 100)).toThrow(refused)
})

test('lengths and counts that lie are refused: of a block, a batch, an edit', () => {
  const hostile = Buffer.from([0, 0xff, 0xff, 0xff, 0xff, 0x0f, 1, 0, 0, 0, 0])
  expect(() => [...blockEntries(hostile)]).toThrow(refused)
  // More restart points than bytes.
  expect(() => [...blockEntries(Buffer.from([0xff, 0xff, 0xff, 0x7f]))]).toThrow(refused)
  const head = Buffer.alloc(12)
  head.writeUInt32LE(0xffffffff, 8)
  expect(() => [...batchEntries(head)]).toThrow(refused)
  expect(() => [...batchEntries(Buffer.concat([head, Buffer.from([1, 0xff, 0xff, 0xff, 0xff, 0x0f])]))]).toThrow(
    refused,
  )
  for (const edit of [[7, 9, 1, 1], [1, 0xff, 0x7f], [8], [6, 7, 1], [2]]) {
    expect(() => {
      new VersionEdits().take(Buffer.from(edit))
    }).toThrow(refused)
  }
  expect(() => new VersionEdits().version()).toThrow(refused)
  const unknown = Buffer.from([1, 2, 3, 9, 0, 0, 0, 0])
  unknown.writeUInt32LE(maskedCrc(crc32c(unknown.subarray(0, 4))), 4)
  expect(() => blockContent(unknown)).toThrow(refused)
})
