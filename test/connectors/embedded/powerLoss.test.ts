import { cpSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { crc32c } from '../../../src/codecs/crc32c.ts'
import { inspectStore } from '../../../src/connectors/embedded/damage/verifyStore.ts'
import { withStore } from '../../../src/connectors/embedded/shared/withStore.ts'
import { systemClock } from '../../../src/core/ports/clock.ts'
import type { OutputRecord } from '../../../src/core/record.ts'
import { maskedCrc } from '../../../src/leveldb/diskBytes.ts'
import { storeDirectory, type StoreDirectory } from './storeDirectory.ts'

/** An edit of a MANIFEST that changes nothing, as one record. */
function manifestEdit(bytes: number): Buffer {
  const body = Buffer.concat([Buffer.from([1, 5, 1, bytes]), Buffer.alloc(bytes, 97)])
  const head = Buffer.alloc(6)
  head.writeUInt32LE(maskedCrc(crc32c(body)))
  head.writeUInt16LE(body.length - 1, 4)
  return Buffer.concat([head, body])
}

describe('a data directory', () => {
  let directory: StoreDirectory
  let data: string
  let log: string
  let witness: string
  let inStore: StoreDirectory['inStore']
  let fileOf: StoreDirectory['fileOf']
  const value = (bytes: number): OutputRecord => ({
    topic: 'orders',
    partition: 0,
    key: null,
    value: Buffer.alloc(bytes, 7),
    headers: [],
    timestamp: 1,
  })

  beforeEach(async () => {
    directory = await storeDirectory()
    ;({ data, log, witness, inStore, fileOf } = directory)
  })
  afterEach(() => directory.remove())

  /** A process was killed, or its machine stopped, while LevelDB wrote down which tables there are. */
  const tearManifest = async (how: string): Promise<void> => {
    const copy = join(directory.path, 'copy')
    await inStore(async (store) => {
      await store.append(Array.from({ length: 5 }, () => value(10)))
      cpSync(data, copy, { recursive: true, filter: (file) => !file.endsWith('socket') })
    })
    rmSync(data, { recursive: true })
    renameSync(copy, data)
    const file = join(log, readFileSync(join(log, 'CURRENT'), 'latin1').trim())
    let bytes = readFileSync(file)
    // Where the compaction of a level goes on, which means nothing here.
    while (bytes.length < 4096 - 90) bytes = Buffer.concat([bytes, manifestEdit(60)])
    const whole = bytes.length
    bytes = Buffer.concat([bytes, manifestEdit(120)])
    if (how === 'a page is missing') bytes.fill(0, 4096)
    writeFileSync(file, how === 'the file ends' ? bytes.subarray(0, 4096) : bytes)
    expect(await inspectStore(log)).toMatchObject({ fileDamages: [], unfinished: { offset: whole } })
  }

  // LevelDB does not open a MANIFEST that lacks a page at its end, and we said that everything is whole.
  test.each(['a page is missing', 'the file ends'])(
    'in whose torn MANIFEST %s opens with all that is in it',
    async (how) => {
      await tearManifest(how)
      const notes: string[] = []
      const note = (line: string): void => {
        notes.push(line)
      }
      await withStore(data, { clock: systemClock, note }, async (store) => {
        expect(await store.describeTopic('orders')).toMatchObject({ endOffsets: [5, 0] })
      })
      expect(notes).toEqual(
        how === 'the file ends' ? [] : [expect.stringMatching(/log\/MANIFEST-\d+, byte \d+: .*cut off/)],
      )
      await inStore((store) => store.append([value(10)]))
      expect(await inStore((store) => store.describeTopic('orders'))).toMatchObject({ endOffsets: [6, 0] })
    },
  )

  test('in whose MANIFEST a page is missing, and that was closed, is damaged', async () => {
    await tearManifest('a page is missing')
    const closed = readFileSync(witness)
    closed.writeUInt32BE(1, 4)
    closed.writeUInt32BE(crc32(closed.subarray(0, -4)), closed.length - 4)
    writeFileSync(witness, closed)
    await expect(inStore((store) => store.listTopics())).rejects.toMatchObject({
      code: 'corrupt-store',
      message: expect.stringMatching(/MANIFEST-\d+, byte \d+: .*, and the store was closed/),
    })
  })

  // What is on the missing page is a few bytes of the header.
  test.each(['not acknowledged', 'acknowledged'])(
    'whose last write begins at the end of a page that is missing, and was %s, is judged by its witness',
    async (how) => {
      const copy = join(directory.path, 'copy')
      let before = Buffer.alloc(0)
      let at = 0
      await inStore(async (store) => {
        const size = (): number => statSync(fileOf(/\.log$/)).size
        await store.append([value(500)])
        const first = size()
        await store.append([value(500)])
        const around = size() - first - 500
        await store.append([value(4096 * 2 - 3 - size() - around)])
        at = size()
        before = readFileSync(witness)
        await store.append([value(3_000)])
        cpSync(data, copy, { recursive: true, filter: (file) => !file.endsWith('socket') })
      })
      expect(at % 4096).toBe(4093)
      rmSync(data, { recursive: true })
      renameSync(copy, data)
      const file = fileOf(/\.log$/)
      writeFileSync(file, readFileSync(file).fill(0, at, at + 3))
      if (how === 'acknowledged') {
        await expect(inStore((store) => store.listTopics())).rejects.toThrow(
          /byte \d+: the checksum of a record is wrong/,
        )
        return
      }
      writeFileSync(witness, before)
      expect(await inspectStore(log)).toMatchObject({ fileDamages: [], unfinished: { offset: at } })
      expect(await inStore((store) => store.describeTopic('orders'))).toMatchObject({ endOffsets: [3, 0] })
      await inStore((store) => store.append([value(1)]))
      expect(await inStore((store) => store.describeTopic('orders'))).toMatchObject({ endOffsets: [4, 0] })
    },
  )
})
