import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { root } from './cliProcess.ts'
import { testCli, type CliResult } from './testCli.ts'

/** One of each kind that moves, colours, hides or turns around what a terminal shows. */
const hostile =
  '\u001B[31m\u001B]0;t\u0007\u009B2J\u007F\u202E\u2066\u200F\u061C\u200B\u200D\uFEFF\u2028\u2029\u{E0041}\u{E0100}'

/** Newlines and tabs are what we print ourselves. */
const invisible = /[^\P{C}\n\t]|[\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/u

const record = {
  key: `k${hostile}`,
  value: `v${hostile}\nnext`,
  headers: [[`h${hostile}`, `c${hostile}`]],
  timestamp: 1,
}
const job = path.join(root, 'test/support/jobs/quoting.ts')

let directory: string

beforeAll(async () => {
  directory = mkdtempSync(path.join(tmpdir(), 'tidemark-hostile-'))
  const written = await cli(['topic', 'write', 'quoting-in', '--json'], JSON.stringify(record))
  expect(written.code).toBe(0)
})
afterAll(() => rmSync(directory, { recursive: true }))

function cli(words: readonly string[], stdin = '', isTTY = true): Promise<CliResult> {
  return testCli({ directory, stdin, isTTY }, ...words)
}

test.each([
  [['topic', 'read', 'quoting-in']],
  [['topic', 'read', 'quoting-in', '--json']],
  [['topic', 'list']],
  [['explain', 'quoting-in', '0@0', '--job', job]],
  [['preview', job]],
  [['plan', job, `--job.name=${hostile}`]],
  [['config', `--data.dir=${hostile}`]],
  [['config', `--log.level=${hostile}`]],
  [['config', `--${hostile}.x=1`]],
  [['topic', 'read', hostile]],
  [['topic', 'create', `a${hostile}`]],
  [['explain', hostile, '0@0', '--job', job]],
  [['explain', 'quoting-in', hostile, '--job', job]],
  [['table', 'read', hostile]],
  [['run', `${hostile}.ts`]],
  [['plan', job, `--${hostile}`]],
  [[hostile]],
])('%j prints nothing on a terminal that cannot be seen', async (words) => {
  const { out, err } = await cli(words)
  expect(out + err).not.toBe('')
  expect([
    invisible
      .exec(out + err)?.[0]
      ?.codePointAt(0)
      ?.toString(16),
    out + err,
  ]).toEqual([undefined, out + err])
})

test('an error text of a job is shown with escapes, its newlines as lines', async () => {
  const file = path.join(directory, 'job.ts')
  writeFileSync(file, `throw new Error('one\\n' + ${JSON.stringify(hostile)})`)
  const { err } = await cli(['plan', 'job.ts', '--log.level=debug'])
  expect(err).toContain('one\n\\x1b[31m')
  expect(err).not.toMatch(invisible)
})

test('a record that was read as JSON is written again as the same record', async () => {
  const read = await cli(['topic', 'read', 'quoting-in', '--json'], '', false)
  expect(read.out.trimEnd()).not.toMatch(/[^\x20-\x7e]/)
  await cli(['topic', 'write', 'copy', '--json'], read.out)
  const copied = await cli(['topic', 'read', 'copy', '--json'], '', false)
  expect(JSON.parse(copied.out)).toMatchObject(record)
})

test('values for a file or a pipe are the bytes themselves', async () => {
  const { outBytes } = await cli(['topic', 'read', 'quoting-in'], '', false)
  expect(outBytes).toEqual(Buffer.from(`${record.value}\n`))
})
