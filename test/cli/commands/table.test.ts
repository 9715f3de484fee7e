import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { testCli } from '../testCli.ts'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'tidemark-table-'))
})
afterEach(() => {
  rmSync(directory, { recursive: true })
})

const cli = (...args: string[]) => testCli({ directory }, ...args)

const users = {
  keyspace: 'shop',
  table: 'users.all',
  columns: { id: 'bigint', name: 'text', seen: 'timestamp' },
  primaryKey: [['id'], []],
  rows: [
    { id: '9007199254740993', name: 'Ada', seen: '2026-11-01T08:00:00.000Z' },
    { id: 2, name: 'Bo\u009B' },
  ],
}

function file(content: string): string {
  writeFileSync(path.join(directory, 'table.json'), content)
  return 'table.json'
}

test('a table is loaded from a file, listed, and read in the row encoding', async () => {
  expect(await cli('table', 'load', file(JSON.stringify(users)))).toMatchObject({
    code: 0,
    out: 'Loaded 2 rows from table.json.\n',
  })
  expect((await cli('table', 'list')).out).toBe(
    'TABLE           PRIMARY KEY  COLUMNS\nshop.users.all  (id)         id bigint, name text, seen timestamp\n',
  )
  const rows = (await cli('table', 'read', 'shop.users.all')).out.split('\n')
  expect(rows.sort()).toEqual([
    '',
    '{"id":"2","name":"Bo\u009B","seen":null}',
    '{"id":"9007199254740993","name":"Ada","seen":"2026-11-01T08:00:00.000Z"}',
  ])
})

test('what was read can be loaded again, also from the standard input, and replaces rows of the same key', async () => {
  await cli('table', 'load', file(JSON.stringify(users)))
  const { out } = await cli('table', 'read', 'shop.users.all')
  const rows = out
    .trim()
    .split('\n')
    .map((line): unknown => JSON.parse(line))
  const stdin = JSON.stringify({ ...users, rows })
  expect(await testCli({ directory, stdin }, 'table', 'load', '-')).toMatchObject({ code: 0 })
  expect((await cli('table', 'read', 'shop.users.all')).out).toBe(out)
})

test('an integer beyond 2^53 that is written as a number keeps its digits', async () => {
  await cli('table', 'load', file(JSON.stringify(users).replace('"9007199254740993"', '9007199254740993')))
  expect((await cli('table', 'read', 'shop.users.all')).out).toContain('9007199254740993')
})

test('more rows than a page are all read, and a limit holds', async () => {
  const rows = Array.from({ length: 2500 }, (_, id) => ({ id, name: 'x' }))
  await cli('table', 'load', file(JSON.stringify({ ...users, rows })))
  const lines = (await cli('table', 'read', 'shop.users.all')).out.trim().split('\n')
  expect(new Set(lines).size).toBe(2500)
  expect((await cli('table', 'read', 'shop.users.all', '--limit', '1001')).out.trim().split('\n')).toHaveLength(1001)
})

test.each([
  ['nonsense', 'is not a table in JSON'],
  ['{}', 'columns is missing'],
  [JSON.stringify({ ...users, rows: [{ id: 'x' }] }), 'Row 0'],
  [JSON.stringify({ ...users, keyspace: 'system_auth' }), 'system'],
])('the file %j is refused', async (content, reason) => {
  expect(await cli('table', 'load', file(content))).toMatchObject({ err: expect.stringContaining(reason) })
  expect((await cli('table', 'load', 'table.json')).code).not.toBe(0)
})

test('a byte order mark before the file is left out', async () => {
  expect(await cli('table', 'load', file(`\uFEFF${JSON.stringify(users)}`))).toMatchObject({ code: 0 })
})

test('a table that is not there is refused with the nearest name', async () => {
  await cli('table', 'load', file(JSON.stringify(users)))
  expect(await cli('table', 'read', 'shop.user.all')).toMatchObject({
    code: 2,
    err: expect.stringContaining('Did you mean shop.users.all?'),
  })
  expect(await cli('table', 'load', 'none.json')).toMatchObject({ code: 2 })
})
