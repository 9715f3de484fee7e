import { readFile, readdir } from 'node:fs/promises'
import path from 'node:path'
import { Level } from 'level'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { crc32c } from '../../src/codecs/crc32c.ts'
import { maskedCrc } from '../../src/leveldb/diskBytes.ts'
import { LogChain, type LogFindings } from '../../src/leveldb/logChain.ts'
import { logBlockBytes } from '../../src/leveldb/logScan.ts'
import { removeStore, temporaryDirectory } from '../support/damage/randomStore.ts'

/** Batches of one write each, all in one block; the last begins behind the first page, and fills several. */
const batches = 10
const lastValueBytes = 20_000

let directory: string
let log: Buffer
let lastAt: number

beforeAll(async () => {
  directory = path.join(await temporaryDirectory(), 'store')
  const db = new Level<Buffer, Buffer>(directory, { keyEncoding: 'buffer', valueEncoding: 'buffer' })
  await db.open()
  for (let index = 1; index < batches; index += 1)
    await db.put(Buffer.from(`key ${String(index)}`), Buffer.alloc(500, 1))
  const name = (await readdir(directory)).find((file) => file.endsWith('.log')) ?? ''
  lastAt = (await readFile(path.join(directory, name))).length
  await db.put(Buffer.from('last'), Buffer.alloc(lastValueBytes, 7))
  await db.close()
  log = await readFile(path.join(directory, name))
})
afterAll(() => removeStore(directory))

function check(bytes: readonly Buffer[], lastSequence = 0, tableSequence = 0): LogFindings {
  const chain = new LogChain({ lastSequence, tableSequence })
  for (const [index, file] of bytes.entries()) {
    chain.begin(`${String(index)}.log`)
    for (let at = 0; at < file.length; at += logBlockBytes) chain.push(file.subarray(at, at + logBlockBytes))
    chain.finish()
  }
  return chain.findings()
}

function changed(change: (bytes: Buffer) => void): Buffer {
  const bytes = Buffer.from(log)
  change(bytes)
  return bytes
}

const pageBehind = (at: number): number => at + 4096 - (at % 4096)

describe('the last batch', () => {
  test('is whole where nothing happened', () => {
    expect(check([log])).toEqual({ damages: [], tornTail: null, perhapsTorn: null, lastSequence: batches })
  })

  test.each([1, 6, 7, 20, 5_000, 19_999])('of which only the first %i bytes are there is torn', (bytes) => {
    expect(check([log.subarray(0, lastAt + bytes)])).toMatchObject({
      damages: [],
      tornTail: { offset: lastAt },
      lastSequence: batches - 1,
    })
  })

  test('of which a page was not written, while a later one was, is torn', () => {
    const bytes = changed((copy) => copy.fill(0, pageBehind(lastAt), pageBehind(lastAt) + 4096))
    expect(check([bytes])).toMatchObject({ damages: [], tornTail: { offset: lastAt }, lastSequence: batches - 1 })
  })

  test('of which nothing was written but the length of the file is torn', () => {
    expect(check([changed((copy) => copy.fill(0, lastAt))])).toMatchObject({
      damages: [],
      tornTail: { offset: lastAt },
    })
  })

  test('with a bit flipped is damaged, in its content, its length and its checksum', () => {
    for (const at of [lastAt, lastAt + 4, lastAt + 5, lastAt + 6, lastAt + 100, log.length - 1]) {
      const bytes = changed((copy) => copy.writeUInt8(copy.readUInt8(at) ^ 0x40, at))
      expect([at, check([bytes])]).toMatchObject([at, { damages: [{ offset: lastAt }], tornTail: null }])
    }
  })
})

describe('a last batch that begins at the end of a page', () => {
  /** The batch moved, so that so many bytes of its header stand on the page before. */
  const straddling = (onPage: number): { readonly bytes: Buffer; readonly at: number } => {
    const header = 7
    const filler = Buffer.alloc(8192 - onPage - lastAt)
    const data = Buffer.alloc(filler.length - header, 3)
    data.writeBigUInt64LE(BigInt(batches), 0)
    data.writeUInt32LE(1, 8)
    record(filler, data)
    const own = Buffer.alloc(3_000)
    const batch = Buffer.alloc(own.length - header, 5)
    batch.writeBigUInt64LE(BigInt(batches + 1), 0)
    batch.writeUInt32LE(1, 8)
    record(own, batch)
    return { bytes: Buffer.concat([log.subarray(0, lastAt), filler, own]), at: 8192 - onPage }
  }

  function record(into: Buffer, data: Buffer): void {
    into.writeUInt8(1, 6)
    data.copy(into, 7)
    into.writeUInt16LE(data.length, 4)
    into.writeUInt32LE(maskedCrc(crc32c(into.subarray(6))))
  }

  test.each([1, 2, 3, 4, 5, 6])('of which %i bytes are missing with it is perhaps torn', (onPage) => {
    const { bytes, at } = straddling(onPage)
    expect(check([bytes])).toMatchObject({ damages: [], lastSequence: batches + 1 })
    bytes.fill(0, at, at + onPage)
    expect(check([bytes])).toMatchObject({
      damages: [{ offset: at }],
      tornTail: null,
      perhapsTorn: { offset: at },
      lastSequence: batches,
    })
    // Another one behind it was written later.
    expect(check([bytes, Buffer.from(log.subarray(0, lastAt))])).toMatchObject({ perhapsTorn: null })
    expect(check([Buffer.concat([bytes, log.subarray(0, lastAt)])])).toMatchObject({ perhapsTorn: null })
  })

  test('and has a bit flipped is damaged', () => {
    const { bytes, at } = straddling(3)
    bytes.writeUInt8(bytes.readUInt8(at + 100) ^ 1, at + 100)
    expect(check([bytes])).toMatchObject({ damages: [{ offset: at }], perhapsTorn: null })
  })
})

describe('a batch before the last', () => {
  test('is never torn: a page without it is damage, and so is the loss of it', () => {
    const page = changed((copy) => copy.fill(0, 0, 4096))
    expect(check([page])).toMatchObject({ damages: [{ file: '0.log' }], tornTail: null })
    const { length } = log
    const without = Buffer.concat([
      log.subarray(0, lastAt / (batches - 1)),
      log.subarray((2 * lastAt) / (batches - 1), length),
    ])
    expect(check([without])).toMatchObject({ damages: [{ reason: 'write 3 follows where 2 should' }], tornTail: null })
  })

  test('is damaged where it is cut and another log follows with writes', () => {
    const cut = log.subarray(0, lastAt + 100)
    expect(check([cut, Buffer.alloc(0)])).toMatchObject({ damages: [], tornTail: { file: '0.log' } })
    expect(check([cut, log])).toMatchObject({
      damages: [{ file: '0.log', offset: lastAt }, { file: '1.log' }],
      tornTail: null,
    })
  })
})

describe('a log', () => {
  test('that begins behind the tables, or before their end, is not theirs', () => {
    expect(check([log], 0)).toMatchObject({ damages: [] })
    const later = log.subarray(lastAt / (batches - 1))
    expect(check([later], 1)).toMatchObject({ damages: [] })
    expect(check([later], 0).damages).toMatchObject([
      { offset: 0, reason: expect.stringContaining('begins with write 2') },
    ])
    expect(check([log], 5, 5).damages).toMatchObject([
      { offset: 0, reason: expect.stringContaining('the tables hold 5') },
    ])
  })

  test('that ends before the last write that the MANIFEST knows of is torn', () => {
    expect(check([log], batches)).toMatchObject({ damages: [], tornTail: null })
    expect(check([log], batches + 1)).toMatchObject({ damages: [], tornTail: { offset: log.length } })
  })
})
