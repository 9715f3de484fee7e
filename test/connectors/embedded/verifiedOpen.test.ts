import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  cpSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join, resolve } from 'node:path'
import { Level } from 'level'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { EmbeddedStore } from '../../../src/connectors/embedded/store/embeddedStore.ts'
import { inspectStore } from '../../../src/connectors/embedded/damage/verifyStore.ts'
import { beginWiping } from '../../../src/connectors/embedded/store/storeFormat.ts'
import { formatKey, upgradingKey, wipingKey } from '../../../src/connectors/embedded/store/storeKeys.ts'
import { withStore } from '../../../src/connectors/embedded/shared/withStore.ts'
import { foreignWitness, readWitness, type WitnessState } from '../../../src/connectors/embedded/damage/witness.ts'
import { systemClock } from '../../../src/core/ports/clock.ts'
import type { OutputRecord } from '../../../src/core/record.ts'
import { ValueSeal } from '../../../src/leveldb/valueSeal.ts'
import { verifyLevel } from '../../../src/leveldb/verifyLevel.ts'
import { dumpStore, fillStore } from './damagedDisk.ts'
import { storeDirectory, type StoreDirectory } from './storeDirectory.ts'

const golden = resolve(import.meta.dirname, '../../guarantees/golden/data-directory-10bdeee.tar.gz')

/** Everything below a directory with its content and its times. */
function traceOf(directory: string): readonly string[] {
  return readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .toSorted()
    .map((name) => {
      const file = join(directory, name)
      const { mtimeMs, ctimeMs, mode, ino } = lstatSync(file)
      const content = statSync(file).isFile() ? createHash('sha256').update(readFileSync(file)).digest('hex') : ''
      return [name, mtimeMs, ctimeMs, mode, ino, content].join(' ')
    })
}

/** Where the batch that holds the change of this number ends, in a log whose records are all whole. */
function endOfWrite(bytes: Buffer, sequence: number): number {
  let at = 0
  while (at + 7 <= bytes.length) {
    const begins = bytes[at + 6] === 1 || bytes[at + 6] === 2
    if (begins && bytes.readBigUInt64LE(at + 7) > sequence) return at
    at += 7 + bytes.readUInt16LE(at + 4)
    if (32_768 - (at % 32_768) < 7) at += 32_768 - (at % 32_768)
  }
  return at
}

describe('a data directory', () => {
  let directory: StoreDirectory
  let data: string
  let log: string
  let witness: string
  let inStore: StoreDirectory['inStore']
  let fileOf: StoreDirectory['fileOf']

  beforeEach(async () => {
    directory = await storeDirectory()
    ;({ data, log, witness, inStore, fileOf } = directory)
  })
  afterEach(() => directory.remove())

  const flip = (file: string, at: number): void => {
    const bytes = readFileSync(file)
    bytes[at] = (bytes[at] ?? 0) ^ 1
    writeFileSync(file, bytes)
  }

  /** What is said, and that nothing was touched for it. */
  const refusal = async (): Promise<{ readonly code: string; readonly message: string; readonly details: object }> => {
    const before = traceOf(data)
    const error: unknown = await inStore((store) => store.listTopics()).then(
      () => new Error('it was opened'),
      (thrown: unknown) => thrown,
    )
    expect(traceOf(data)).toEqual(before)
    return error as Awaited<ReturnType<typeof refusal>>
  }

  const six = async (): Promise<void> => {
    for (let n = 0; n < 6; n += 1) {
      await inStore((store) =>
        store.append(
          Array.from({ length: 100 }, (_, index) => ({
            topic: 'orders',
            partition: 0,
            key: null,
            value: Buffer.from(`${String(n)} ${String(index)}`),
            headers: [],
            timestamp: n,
          })),
        ),
      )
    }
  }

  /** As a killed process leaves it: what it wrote is in LevelDB's log. */
  const sixInOneLog = (): Promise<void> =>
    inStore(async (store) => {
      for (let n = 0; n < 6; n += 1) {
        const value = Buffer.from(`message ${String(n)} ${'x'.repeat(40_000)}`)
        await store.append([{ topic: 'orders', partition: 0, key: null, value, headers: [], timestamp: n }])
      }
    })

  // A5: `topic list` said 9,000, `topic read` gave 7,500, and the job said "Nothing new".
  test('with one bit flipped in the second of six appends is damaged, by file and byte, and nothing is touched', async () => {
    await sixInOneLog()
    const file = fileOf(/\.log$/)
    const at = readFileSync(file).indexOf('message 1')
    flip(file, at)
    const error = await refusal()
    expect(error).toMatchObject({
      code: 'corrupt-store',
      details: { path: log, file: join('log', file.slice(log.length + 1)), offset: expect.any(Number) },
    })
    expect(error.message).toMatch(
      /is damaged: log\/\d+\.log, byte \d+: the checksum of a record is wrong\. Affected, as far as can be told: topic orders, partition 0: offsets 1 to 1 are missing\. Nothing was changed\./,
    )
    expect(error.message).toMatch(/npx tidemark store check/)
  })

  test('with one bit flipped in its last append is damaged, and not shorter', async () => {
    await sixInOneLog()
    const file = fileOf(/\.log$/)
    flip(file, readFileSync(file).lastIndexOf('message 5'))
    expect(await refusal()).toMatchObject({ code: 'corrupt-store' })
  })

  // H1: LevelDB leaves out what is torn, and deletes the file.
  test.each([1, 100, 600, 45_000])('whose last %d bytes were cut off is damaged', async (bytes) => {
    await sixInOneLog()
    const file = fileOf(/\.log$/)
    truncateSync(file, statSync(file).size - bytes)
    const error = await refusal()
    expect(error).toMatchObject({ code: 'corrupt-store' })
    expect(error.message).toMatch(/which were acknowledged as durable|the store was closed when everything was written/)
  })

  test('whose last writes are gone to the byte is damaged: the witness knows of them', async () => {
    await sixInOneLog()
    const file = fileOf(/\.log$/)
    const size = statSync(file).size
    await inStore((store) => store.createTopic('later'))
    const later = fileOf(/\.log$/)
    truncateSync(later, later === file ? size : 0)
    expect((await refusal()).message).toMatch(/the last 1 changes are missing, which were acknowledged as durable/)
  })

  test('whose last page is zeros is damaged', async () => {
    await sixInOneLog()
    const file = fileOf(/\.log$/)
    const bytes = readFileSync(file)
    bytes.fill(0, bytes.length - (bytes.length % 4096))
    writeFileSync(file, bytes)
    expect(await refusal()).toMatchObject({ code: 'corrupt-store' })
  })

  // H2: LevelDB took it for an empty directory, or ended the process.
  test.each(['CURRENT', 'MANIFEST', 'the log', 'all but CURRENT', 'everything', 'the folder'])(
    'that has lost %s is damaged, and not empty',
    async (what) => {
      await six()
      for (const name of readdirSync(log)) {
        const isLost =
          what === 'everything' ||
          (what === 'all but CURRENT' && name !== 'CURRENT') ||
          name.startsWith(what) ||
          (what === 'the log' && name.endsWith('.log'))
        if (isLost) rmSync(join(log, name))
      }
      if (what === 'the folder') rmSync(log, { recursive: true })
      const error = await refusal()
      expect(error).toMatchObject({ code: 'corrupt-store' })
      expect(error.message).toMatch(/is missing|files are gone/)
    },
  )

  test('in whose tables a bit is flipped is damaged, by file and byte', async () => {
    await six()
    // The next open brings the log into a table.
    await inStore((store) => store.listTopics())
    const file = fileOf(/\.ldb$/)
    flip(file, 40)
    expect((await refusal()).message).toMatch(/is damaged: log\/\d+\.ldb, byte \d+: /)
  })

  // The store was upgraded, or a wipe of it finished, before it was found to be another one.
  test.each(['of this version', 'of version 0.1.0', 'being cleared'])(
    'whose log is that of another store, %s, is damaged, and nothing is touched',
    async (what) => {
      await six()
      const other = join(directory.path, 'other')
      mkdirSync(other)
      if (what === 'of version 0.1.0') execFileSync('tar', ['-xzf', golden, '-C', other])
      else {
        await withStore(join(other), { clock: systemClock, partitions: 2 }, async (store) => {
          await fillStore(store as EmbeddedStore)
          if (what === 'being cleared')
            await beginWiping((store as EmbeddedStore).storage, 'the store is being cleared')
        })
      }
      const { sequence } = (await readWitness(witness)) as WitnessState
      expect((await verifyLevel(join(other, 'log'))).lastSequence).toBeGreaterThan(sequence)
      rmSync(log, { recursive: true })
      renameSync(join(other, 'log'), log)
      const error = await refusal()
      expect(error).toMatchObject({ code: 'corrupt-store', message: expect.stringContaining(foreignWitness) })
      expect((await inspectStore(log))?.survey.damages).toContain(foreignWitness)
    },
  )

  test('of a later format is refused as such, and nothing is touched', async () => {
    await six()
    const db = new Level<Buffer, Buffer>(log, { keyEncoding: 'buffer', valueEncoding: 'buffer' })
    await db.put(formatKey, Buffer.from('3 and more'), { sync: true })
    await db.close()
    expect(await refusal()).toMatchObject({ code: 'unknown-format' })
  })

  test.each(['embedded', 'control'])(
    'that has lost its log and its witness, and has %s, is damaged, and not empty',
    async (name) => {
      await six()
      rmSync(log, { recursive: true })
      rmSync(witness)
      for (const each of ['embedded', 'control']) rmSync(join(data, each), { recursive: true, force: true })
      mkdirSync(join(data, name))
      const error = await refusal()
      expect(error).toMatchObject({ code: 'corrupt-store' })
      expect(error.message).toContain(`its files are gone, and ${name} beside it says that there was a store`)
      expect(await inspectStore(log)).toMatchObject({ fileDamages: [{ offset: 0 }] })
    },
  )

  test('that is damaged is not cleared on the word of an entry that says so', async () => {
    await sixInOneLog()
    const db = new Level<Buffer, Buffer>(log, { keyEncoding: 'buffer', valueEncoding: 'buffer' })
    await db.put(wipingKey, Buffer.from('the store is being cleared'))
    await db.close()
    const error: unknown = await inStore((store) => store.listTopics()).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ code: 'corrupt-store', message: expect.stringContaining('being cleared is damaged') })
    const again = new Level<Buffer, Buffer>(log, { keyEncoding: 'buffer', valueEncoding: 'buffer' })
    expect((await again.get(formatKey))?.toString()).toMatch(/^2 /)
    await again.close()
  })

  test('is as it was when its witness is gone or damaged, and has one again', async () => {
    await inStore((store) => fillStore(store))
    const dump = await inStore(dumpStore)
    for (const harm of [() => rmSync(witness), () => truncateSync(witness, 3), () => flip(witness, 20)]) {
      harm()
      expect(await inStore(dumpStore)).toEqual(dump)
      expect(await readWitness(witness)).toMatchObject({ closed: true })
    }
  })

  test('has a witness of every write, which commands that only read leave alone', async () => {
    await inStore((store) => fillStore(store))
    const { lastSequence } = await verifyLevel(log)
    expect(await readWitness(witness)).toMatchObject({ closed: true, sequence: lastSequence })
    const before = lstatSync(witness)
    await inStore(dumpStore)
    expect(lstatSync(witness)).toEqual(before)
    await inStore(async (store) => {
      await store.createTopic('more')
      expect(await readWitness(witness)).toMatchObject({ closed: false, sequence: lastSequence + 1 })
    })
    expect((lstatSync(witness).mode & 0o777).toString(8)).toBe('600')
  })

  const messages = (topic: string, count: number): readonly OutputRecord[] =>
    Array.from({ length: count }, (_, n) => ({
      topic,
      partition: 0,
      key: null,
      value: Buffer.from(`message ${String(n)}`),
      headers: [],
      timestamp: 1,
    }))

  const table = (rows: number): object => ({
    keyspace: 'shop',
    table: 'items',
    columns: { id: 'int', name: 'text' },
    primaryKey: [['id'], []],
    rows: Array.from({ length: rows }, (_, id) => ({ id, name: `item ${String(id)}` })),
  })

  const witnessHolds = async (): Promise<void> => {
    const { lastSequence } = await verifyLevel(log)
    expect(await readWitness(witness)).toMatchObject({ sequence: lastSequence })
  }

  // LevelDB's own clear was not counted: what was acknowledged after `--fresh` could be cut off without a word.
  test('has a witness that is at the number of LevelDB after every operation', async () => {
    mkdirSync(data)
    execFileSync('tar', ['-xzf', golden, '-C', data])
    const operations: readonly ((store: EmbeddedStore) => Promise<unknown>)[] = [
      // The upgrade.
      (store) => store.listTopics(),
      (store) => store.clear(),
      (store) => store.append(messages('orders', 5)),
      (store) => store.clear(),
      (store) => store.loadSample({ records: messages('orders', 5), tables: [table(200)] }),
      (store) => store.loadTable(table(100)),
      (store) => store.loadSample({ records: [], tables: [] }).catch(() => undefined),
      (store) => store.clear(),
      (store) => fillStore(store),
      // A sample that fails takes back what it has written.
      async (store) => {
        await store.clear()
        const failing = function* (): Generator<OutputRecord> {
          for (const message of messages('orders', 1)) yield { ...message, value: Buffer.alloc(5_000_000) }
          throw new Error('no more')
        }
        await expect(store.loadSample({ records: failing(), tables: [] })).rejects.toThrow('no more')
      },
      (store) => beginWiping(store.storage, 'the store is being cleared'),
      // The next open finishes that.
      (store) => store.listTopics(),
    ]
    for (const operate of operations) {
      await inStore(async (store) => {
        await operate(store)
        await witnessHolds()
      })
      await witnessHolds()
    }
    await inStore(async (store) => {
      for (const operate of operations) {
        await operate(store)
        await witnessHolds()
      }
    })
  })

  test.each(['killed', 'closed'])(
    'that was cleared, then written and %s, and has lost a write is damaged',
    async (how) => {
      await inStore((store) => store.loadTable(table(300)))
      const copy = join(directory.path, 'copy')
      await inStore(async (store) => {
        await store.clear()
        for (const message of messages('orders', 20)) await store.append([message])
        cpSync(data, copy, { recursive: true, filter: (file) => !file.endsWith('socket') })
      })
      if (how === 'killed') {
        rmSync(data, { recursive: true })
        renameSync(copy, data)
      }
      const file = fileOf(/\.log$/)
      // Where the sixth of the records ends.
      const bytes = readFileSync(file)
      let end = 0
      for (let record = 0; record < 6; record += 1) end += 7 + bytes.readUInt16LE(end + 4)
      truncateSync(file, end)
      expect((await refusal()).message).toMatch(/changes are missing, which were acknowledged as durable/)
    },
  )

  // Deletions that were not synced: pages missing in their middle were taken for damage.
  test.each(['written', 'being written'])(
    'whose machine loses power when its deletions are %s is empty',
    async (how) => {
      await inStore(async (store) => {
        await store.append(messages('orders', 10))
        await store.loadTable(table(4_000))
      })
      const copy = join(directory.path, 'copy')
      const state = { copied: false }
      const compacting = vi.spyOn(Level.prototype as unknown as { compactRange(): Promise<void> }, 'compactRange')
      compacting.mockImplementation(() => {
        // Everything is deleted, and LevelDB has brought nothing into tables.
        if (!state.copied) cpSync(data, copy, { recursive: true, filter: (file) => !file.endsWith('socket') })
        state.copied = true
        return Promise.resolve()
      })
      let before = Buffer.alloc(0)
      await inStore(async (store) => {
        await beginWiping(store.storage, 'the store is being cleared')
        before = readFileSync(witness)
        await store.clear()
      })
      compacting.mockRestore()
      rmSync(data, { recursive: true })
      renameSync(copy, data)
      if (how === 'being written') writeFileSync(witness, before)
      const file = fileOf(/\.log$/)
      const bytes = readFileSync(file)
      const { sequence } = (await readWitness(witness)) as WitnessState
      const page = Math.ceil(endOfWrite(bytes, sequence) / 4096) * 4096
      expect(bytes.length).toBeGreaterThan(3 * 4096)
      // Nothing that was not acknowledged need be there.
      const isOpen = page + 8192 < bytes.length
      if (how === 'being written') expect(isOpen).toBe(true)
      if (isOpen) writeFileSync(file, bytes.fill(0, page, page + 4096))
      expect(await inStore((store) => Promise.resolve(store.isEmpty()))).toBe(true)
      await witnessHolds()
    },
  )

  test('that was closed while it was to be cleared is witnessed while the next open clears it', async () => {
    await inStore(async (store) => {
      await store.loadTable(table(10))
      await beginWiping(store.storage, 'the store is being cleared')
    })
    expect(await readWitness(witness)).toMatchObject({ closed: true })
    const seen: unknown[] = []
    const compacting = vi.spyOn(Level.prototype as unknown as { compactRange(): Promise<void> }, 'compactRange')
    compacting.mockImplementation(async () => {
      seen.push(await readWitness(witness))
    })
    await inStore((store) => store.listTopics())
    compacting.mockRestore()
    expect(seen).toMatchObject([{ closed: false }])
  })

  test.each(['cut off', 'zeros'])(
    'of a process that was killed in the middle of a write opens without that write, which is %s',
    async (how) => {
      const copy = join(directory.path, 'copy')
      let first = Buffer.alloc(0)
      await inStore(async (store) => {
        await store.createTopic('orders', { partitions: 1 })
        first = readFileSync(witness)
        const value = Buffer.from('x'.repeat(20_000))
        await store.append([{ topic: 'orders', partition: 0, key: null, value, headers: [], timestamp: 1 }])
        cpSync(data, copy, { recursive: true, filter: (file) => !file.endsWith('socket') })
      })
      // The kill came before the write was synced, and so before the witness of it.
      writeFileSync(join(copy, 'log.witness'), first)
      const name = readdirSync(join(copy, 'log')).find((each) => each.endsWith('.log')) ?? ''
      const file = join(copy, 'log', name)
      const bytes = readFileSync(file)
      if (how === 'cut off') truncateSync(file, bytes.length - 5_000)
      else writeFileSync(file, bytes.fill(0, bytes.length - (bytes.length % 4096)))
      rmSync(data, { recursive: true })
      renameSync(copy, data)
      expect(await inStore((store) => store.describeTopic('orders'))).toMatchObject({ endOffsets: [0] })
      await inStore((store) => store.createTopic('more'))
      expect(await inStore((store) => store.listTopics())).toHaveLength(2)
    },
  )

  test('of a process that was killed in the very first write is new', async () => {
    await inStore((store) => store.listTopics())
    const file = fileOf(/\.log$/)
    truncateSync(file, 20)
    rmSync(witness)
    expect(await inStore((store) => store.listTopics())).toEqual([])
    expect(await readWitness(witness)).toMatchObject({ closed: true })
  })

  test('of a process that was killed in a write of the upgrade goes on with it', async () => {
    await inStore((store) => store.createTopic('orders'))
    const { storeId } = (await readWitness(witness)) as { readonly storeId: string }
    // As if everything up to the settings of topics had its checksum, and the next write was torn.
    const db = new Level<Buffer, Buffer>(log, { keyEncoding: 'buffer', valueEncoding: 'buffer' })
    const mark = Buffer.from(JSON.stringify({ after: Buffer.from('x').toString('hex') }))
    await db.put(upgradingKey, new ValueSeal(storeId).seal(upgradingKey, mark))
    await db.put(Buffer.from('torn'), Buffer.alloc(100), { sync: true })
    await db.close()
    rmSync(witness)
    const file = fileOf(/\.log$/)
    truncateSync(file, statSync(file).size - 50)
    expect(await inStore((store) => store.listTopics())).toHaveLength(1)
  })

  test('of version 0.1.0 that is damaged is left as it is, without a marker too', async () => {
    mkdirSync(data)
    execFileSync('tar', ['-xzf', golden, '-C', data])
    const file = fileOf(/\.ldb$/)
    flip(file, 100)
    const before = readdirSync(data)
    expect(await refusal()).toMatchObject({ code: 'corrupt-store' })
    expect(readdirSync(data)).toEqual(before)
  })

  test('that is empty is made into one', async () => {
    mkdirSync(data)
    expect(await inStore((store) => Promise.resolve(store.isEmpty()))).toBe(true)
  })
})
