import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { EmbeddedStore } from '../../../src/connectors/embedded/store/embeddedStore.ts'
import { systemClock } from '../../../src/core/ports/clock.ts'
import { fillStore } from '../../connectors/embedded/damagedDisk.ts'
import { treeOf } from '../../support/files/tree.ts'
import { testCli } from '../testCli.ts'

let directory: string
let data: string
beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'tidemark-store-'))
  data = path.join(directory, '.tidemark')
})
afterEach(() => {
  rmSync(directory, { recursive: true })
})

const cli = (...args: string[]) => testCli({ directory }, ...args)

/** Six batches, each of them in several blocks of LevelDB's log. */
async function writeOrders(): Promise<void> {
  await cli('topic', 'create', 'orders', '--partitions', '1')
  const store = await EmbeddedStore.open(path.join(data, 'log'), { clock: systemClock })
  for (let n = 0; n < 6; n += 1) {
    const value = Buffer.from(`order ${String(n)} ${'x'.repeat(70_000)}`)
    await store.append([{ topic: 'orders', partition: 0, key: null, value, headers: [], timestamp: n }])
  }
  await store.close()
}

function flip(at: string, place = path.join(data, 'log'), names = /\.(log|ldb)$/): void {
  for (const name of readdirSync(place).filter((each) => names.test(each))) {
    const file = path.join(place, name)
    const bytes = readFileSync(file)
    const found = bytes.indexOf(at)
    if (found < 0) continue
    bytes[found] = (bytes[found] ?? 0) ^ 1
    writeFileSync(file, bytes)
    return
  }
  throw new Error('that is nowhere')
}

async function fill(): Promise<void> {
  await cli('topic', 'create', 'empty', '--partitions', '1')
  const store = await EmbeddedStore.open(path.join(data, 'log'), { clock: systemClock, partitions: 2 })
  await fillStore(store)
  await store.close()
}

describe('store check', () => {
  test('tells what is there when everything is whole, and changes nothing', async () => {
    await fill()
    const before = treeOf(data)
    const { code, out } = await cli('store', 'check')
    expect(code).toBe(0)
    expect(out).toMatch(/^Read \d+ files with \d+ bytes in .*log: store format 2, 1 committed positions\n/)
    expect(out).toMatch(/^in +0 +0–5$/m)
    expect(out).toMatch(/^job-source-changelog +0 +0–9$/m)
    expect(out).toMatch(/^empty +0 +none$/m)
    expect(out).toMatch(/^shop\.users +5$/m)
    expect(out).toMatch(/\nEverything is whole\.\n$/)
    expect(treeOf(data)).toEqual(before)
  })

  test('ends with 1 where something is damaged, and names file, byte and what is affected', async () => {
    await writeOrders()
    flip('order 1 ')
    const before = treeOf(data)
    const { code, out } = await cli('store', 'check')
    expect(code).toBe(1)
    expect(out).toMatch(/^Damaged: log\/\d+\.log, byte \d+: the checksum of a record is wrong$/m)
    expect(out).toMatch(/^orders +0 +0–\d without 1/m)
    expect(out).toMatch(/^Damaged: topic orders, partition 0: offsets 1 to \d are missing$/m)
    expect(out).toContain('npx tidemark store salvage <new directory>')
    expect(treeOf(data)).toEqual(before)
  })

  test('says that there is nothing where there is nothing', async () => {
    expect(await cli('store', 'check')).toMatchObject({
      code: 2,
      err: expect.stringContaining('There is no data directory'),
    })
  })

  test('does not take a directory for empty whose log is gone', async () => {
    await fill()
    rmSync(path.join(data, 'log'), { recursive: true })
    const { code, out } = await cli('store', 'check')
    expect(code).toBe(1)
    expect(out).toMatch(/Damaged: .*its files are gone, and log\.witness beside it says that there was a store/)
    expect(await cli('topic', 'list')).toMatchObject({ code: 1, err: expect.stringContaining('corrupt-store') })
  })

  test('looks at the store also where the marker of the directory is damaged, and names that', async () => {
    await fill()
    flip('"tidemark"', data, /^tidemark\.json$/)
    const { code, out } = await cli('store', 'check')
    expect(code).toBe(1)
    expect(out).toMatch(/^shop\.users +5$/m)
    expect(out.match(/^Damaged: .*$/gm)).toEqual([
      expect.stringMatching(/^Damaged: tidemark\.json is not what Tidemark wrote\. .*remove tidemark\.json/),
    ])
    expect(await cli('topic', 'list')).toMatchObject({ code: 2, err: expect.stringContaining('it is damaged') })
    expect((await cli('store', 'salvage', 'copy')).code).toBe(0)
    expect((await cli('table', 'list', '--data-dir', 'copy')).out).toMatch(/^shop\.users /m)
  })

  test('is refused while somebody has the directory open', async () => {
    const child = fork('test/connectors/embedded/processes/holdDirectory.ts', [data, 'job'])
    await once(child, 'message')
    try {
      expect(await cli('store', 'check')).toMatchObject({ code: 2, err: expect.stringContaining('directory-in-use') })
      expect(await cli('store', 'salvage', 'copy')).toMatchObject({ code: 2 })
    } finally {
      child.kill('SIGKILL')
      await once(child, 'exit')
    }
  })
})

describe('store salvage', () => {
  test('copies all that is whole, and lets nobody read over what is lost', async () => {
    await writeOrders()
    flip('order 1 ')
    const before = treeOf(data)
    const { code, out } = await cli('store', 'salvage', 'copy')
    expect(code).toBe(0)
    expect(out).toMatch(/^orders +0 +6 +1(–\d)?, perhaps behind the end$/m)
    expect(out).toMatch(/^Topics or tables that are not listed may have been there/m)
    expect(out).toMatch(/^Positions may be missing, or older than they were/m)
    expect(out).toMatch(/Copied to .*copy\n$/)
    expect(treeOf(data)).toEqual(before)

    const copy = ['--data-dir', 'copy']
    const read = await cli('topic', 'read', 'orders', ...copy, '--limit', '1')
    expect(read.out).toMatch(/^order 0 /)
    const over = await cli('topic', 'read', 'orders', ...copy)
    expect(over).toMatchObject({ code: 1, err: expect.stringContaining('data-removed') })
    const [, next = ''] = /--partition 0 --from (\d+)/.exec(over.err) ?? []
    const behind = await cli('topic', 'read', 'orders', ...copy, '--partition', '0', '--from', next)
    expect(behind.code).toBe(0)
    expect(behind.out.split('\n').map((line) => line.slice(0, 8))).toEqual([
      ...Array.from({ length: 6 - Number(next) }, (_, n) => `order ${String(n + Number(next))} `),
      '',
    ])
    expect(await cli('store', 'check', ...copy)).toMatchObject({
      code: 0,
      out: expect.stringMatching(/orders +0 +0–5 without 1/),
    })
  })

  test('is named in the command that copies what is whole, where it is not the default one', async () => {
    await writeOrders()
    flip('order 1 ')
    expect((await cli('store', 'check')).out).toMatch(/ store salvage <new directory>$/m)
    const { out } = await cli('store', 'check', '--data-dir', '.tidemark')
    expect(out).toContain(` store salvage <new directory> --data-dir ${data}\n`)
  })

  test('copies a whole store as it is', async () => {
    await fill()
    const list = await cli('topic', 'list', '--internal')
    const salvaged = await cli('store', 'salvage', 'copy')
    expect(salvaged).toMatchObject({ code: 0 })
    expect(salvaged.out).not.toMatch(/Damaged|perhaps|salvaged|may/)
    expect((await cli('topic', 'list', '--internal', '--data-dir', 'copy')).out).toBe(list.out)
    const rows = await cli('table', 'read', 'shop.users')
    expect((await cli('table', 'read', 'shop.users', '--data-dir', 'copy')).out).toBe(rows.out)
  })

  test('copies a table of which rows may be missing under another name', async () => {
    await fill()
    const more = { keyspace: 'shop', table: 'users', columns: { id: 'int', name: 'text' }, primaryKey: [['id'], []] }
    const stdin = JSON.stringify({ ...more, rows: [{ id: 9, name: 'users 9' }] })
    expect(await testCli({ directory, stdin }, 'table', 'load', '-')).toMatchObject({ code: 0 })
    flip('users 9')
    const { out } = await cli('store', 'salvage', 'copy')
    expect(out).toMatch(/^shop\.users +shop\.users_salvaged +5 +0 rows, and perhaps others$/m)
    const tables = (await cli('table', 'list', '--data-dir', 'copy')).out
    expect(tables).toMatch(/^shop\.users_salvaged /m)
    expect(tables).not.toMatch(/^shop\.users /m)
  })

  test('takes a new or an empty directory only', async () => {
    await fill()
    mkdirSync(path.join(directory, 'full'))
    writeFileSync(path.join(directory, 'full', 'note'), '')
    symlinkSync(data, path.join(directory, 'link'))
    for (const to of [
      'full',
      'full/note',
      '.tidemark',
      '.tidemark/copy',
      '.tidemark/..copy',
      'link',
      'link/new/copy',
    ]) {
      const before = treeOf(directory)
      expect(await cli('store', 'salvage', to)).toMatchObject({
        code: 2,
        err: expect.stringContaining('invalid-input'),
      })
      expect(treeOf(directory)).toEqual(before)
    }
  })

  test('takes a directory whose name begins with dots, and one that a file system has just made', async () => {
    await fill()
    mkdirSync(path.join(directory, '..copy', 'lost+found'), { recursive: true })
    expect(await cli('store', 'salvage', '..copy')).toMatchObject({ code: 0 })
  })

  test('has something to copy also where CURRENT is gone', async () => {
    await writeOrders()
    rmSync(path.join(data, 'log', 'CURRENT'))
    expect((await cli('store', 'salvage', 'copy')).code).toBe(0)
    const { out } = await cli('topic', 'list', '--data-dir', 'copy')
    expect(out).toMatch(/^orders +1 +6 +6$/m)
  })
})
