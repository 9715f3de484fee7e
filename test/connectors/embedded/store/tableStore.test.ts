import { beforeEach, describe, expect, test } from 'vitest'
import type { EmbeddedStore } from '../../../../src/connectors/embedded/store/embeddedStore.ts'
import { Disk, openOnDisk } from '../diskStorage.ts'

const users = {
  keyspace: 'app',
  table: 'users',
  columns: { id: 'int', name: 'text', tags: 'set<text>' },
  primaryKey: [['id'], []],
  rows: [
    { id: 2, name: 'two', tags: ['b', 'a'] },
    { id: 1, name: 'one', tags: null },
  ],
}

describe('embedded tables', () => {
  let disk: Disk
  let store: EmbeddedStore
  const open = (): Promise<EmbeddedStore> => openOnDisk(disk)
  const rows = async (): Promise<readonly string[]> =>
    (await store.readTable('app', 'users', { after: null, limit: 100 })).rows

  beforeEach(async () => {
    disk = new Disk()
    store = await open()
  })

  test('are read as rows in the row encoding, in the order of their keys, after a restart as well', async () => {
    expect(await store.loadTable(users)).toBe(2)
    store = await open()
    expect(await rows()).toEqual(['{"id":1,"name":"one","tags":null}', '{"id":2,"name":"two","tags":["a","b"]}'])
  })

  test('what is read from one loads into another', async () => {
    await store.loadTable(users)
    const copy = { ...users, table: 'copy', rows: (await rows()).map((row): unknown => JSON.parse(row)) }
    await store.loadTable(copy)
    expect((await store.readTable('app', 'copy', { after: null, limit: 100 })).rows).toEqual(await rows())
  })

  test('take rows again over those of the same key', async () => {
    await store.loadTable(users)
    await store.loadTable({
      ...users,
      rows: [
        { id: 1, name: 'uno' },
        { id: 3, name: 'tre' },
      ],
    })
    expect(await rows()).toEqual([
      '{"id":1,"name":"uno","tags":null}',
      '{"id":2,"name":"two","tags":["a","b"]}',
      '{"id":3,"name":"tre","tags":null}',
    ])
  })

  test('are not changed into other tables', async () => {
    await store.loadTable(users)
    const other = { ...users, columns: { id: 'text', name: 'text', tags: 'set<text>' }, rows: [] }
    await expect(store.loadTable(other)).rejects.toMatchObject({
      code: 'invalid-input',
      message: expect.stringContaining('app.users'),
    })
  })

  test('are refused as a whole when one row is bad', async () => {
    await expect(store.loadTable({ ...users, rows: [{ id: 1 }, { id: 'x' }] })).rejects.toMatchObject({
      code: 'invalid-input',
      message: expect.stringContaining('Row 1'),
    })
    expect(await store.listTables()).toEqual([])
  })

  test('of a system keyspace are refused', async () => {
    await expect(store.loadTable({ ...users, keyspace: 'System_Auth' })).rejects.toMatchObject({
      code: 'forbidden-keyspace',
    })
  })

  test('are listed with columns and key', async () => {
    await store.loadTable(users)
    await store.loadTable({ ...users, keyspace: 'a', rows: [] })
    expect(await store.listTables()).toMatchObject([
      { keyspace: 'a', table: 'users' },
      {
        keyspace: 'app',
        table: 'users',
        columns: [
          ['id', 'int'],
          ['name', 'text'],
          ['tags', 'set<text>'],
        ],
        partitionKey: ['id'],
        clusteringKey: [],
      },
    ])
  })

  test('are read page by page', async () => {
    await store.loadTable({ ...users, rows: Array.from({ length: 25 }, (_, id) => ({ id, name: 'x' })) })
    const found: string[] = []
    let after: string | null = null
    do {
      const page: { readonly rows: readonly string[]; readonly next: string | null } = await store.readTable(
        'app',
        'users',
        { after, limit: 10 },
      )
      found.push(...page.rows)
      after = page.next
    } while (after !== null)
    expect(found).toHaveLength(25)
    expect(new Set(found).size).toBe(25)
  })

  test('that are large are loaded in several writes', async () => {
    const name = 'x'.repeat(100_000)
    await store.loadTable({ ...users, rows: Array.from({ length: 100 }, (_, id) => ({ id, name })) })
    store = await open()
    expect(await rows()).not.toHaveLength(0)
    expect(await store.getRow({ keyspace: 'app', tableName: 'users', pk: 99 })).toMatchObject({ kind: 'hit' })
  })

  test('that do not exist are named', async () => {
    await expect(store.readTable('app', 'users', { after: null, limit: 1 })).rejects.toMatchObject({
      code: 'unknown-table',
      message: 'There is no table app.users',
    })
  })
})
