import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { resultOf, root, startProcess, type Child } from './cliProcess.ts'
import { testCli } from './testCli.ts'

let directory: string
beforeAll(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'tidemark-process-'))
})
afterAll(() => {
  rmSync(directory, { recursive: true })
})

const start = (...args: string[]): Child => startProcess(directory, args)
const tidemark = (...args: string[]): Child => start('src/cli/tidemark.js', ...args)

const write = (stdin: string, ...args: string[]) =>
  testCli({ directory: root, stdin, environment: { DATA_DIR: directory } }, 'topic', 'write', ...args)

test('a reader that goes away ends a command quietly', async () => {
  await write('a line that fills the pipe long before the end\n'.repeat(50_000), 'many')
  const child = tidemark('topic', 'read', 'many')
  await once(child.stdout, 'data')
  child.stdout.destroy()
  const [err, [code, signal]] = await Promise.all([text(child.stderr), once(child, 'exit')])
  expect({ err, code: code as unknown, signal: signal as unknown }).toEqual({ err: '', code: 0, signal: null })
})

test('a bad line ends a command although its input stays open', async () => {
  const child = tidemark('topic', 'write', 'bad', '--json')
  child.stdin.write('{"value":"a"}\nnonsense\n')
  const { err, code } = await resultOf(child)
  expect(code).toBe(2)
  expect(err).toContain('Line 2 is not JSON')
})

test('topic read --follow shows what is written later, and ends with 0 when it is interrupted', async () => {
  await write('first\n', 'followed')
  const child = tidemark('topic', 'read', 'followed', '--follow')
  const result = resultOf(child)
  await once(child.stdout, 'data')
  await write('second\n', 'followed')
  await once(child.stdout, 'data')
  child.kill('SIGINT')
  expect(await result).toEqual({ out: 'first\nsecond\n', err: '', code: 0, signal: null })
})

test('a job file that is run by itself is the run command', async () => {
  const [alone, command] = await Promise.all([
    resultOf(start('jobs/uppercase.ts', '--help')),
    resultOf(tidemark('run', '--help')),
  ])
  expect(alone).toEqual(command)
  expect(alone).toMatchObject({ code: 0, out: expect.stringMatching(/^Usage: tidemark run/) })
})

test('plan draws the reconcile job', async () => {
  const { out, code } = await resultOf(tidemark('plan', 'jobs/reconcile.ts', '--reconcile.input.topic=orders'))
  expect(code).toBe(0)
  expect(out).toMatch(/^job reconcile\n/)
  expect(out).toContain('topic=orders')
  expect(out).toMatch(/`- asyncLookup .* errors -> dead-letters/)
  expect(out).toMatch(/^side output dead-letters\n`- .*topic=reconcile-dlq/m)
})

describe('explain', () => {
  const table = {
    keyspace: 'shop',
    table: 'users',
    columns: { id: 'int', name: 'text', age: 'int' },
    primaryKey: [['id'], []],
    rows: [{ id: 1, name: 'Ada', age: 36 }],
  }
  const message = { keyspace: 'shop', tableName: 'users', pk: '1', payload: { name: 'Ada\u009B', age: 36 } }

  beforeAll(async () => {
    const io = { directory: root, stdin: JSON.stringify(table), environment: { DATA_DIR: directory } }
    expect(await testCli(io, 'table', 'load', '-')).toMatchObject({ code: 0 })
    await write(`${JSON.stringify(message)}\n{"keyspace"\n`, 'input-topic', '--partition', '0')
  })

  test('shows message, key, row, comparison and output', async () => {
    const { out, err, code } = await resultOf(tidemark('explain', 'input-topic', '0@0'))
    expect({ err, code }).toEqual({ err: '', code: 0 })
    expect(out).toMatch(/^Message input-topic 0@0\n/)
    expect(out).toContain('{"age":36,"id":1,"name":"Ada"}')
    expect(out).toContain('= age: 36')
    expect(out).toContain('≠ name')
    expect(out).toMatch(/Output to reconcile\n[\s\S]*"action":"UPDATE"/)
    // The terminal of the reader is not at the mercy of the message.
    expect(out).toContain('Ada\\x9b')
    expect(out).not.toContain('\u009B')
  })

  test('shows the dead letter of a bad message', async () => {
    const { out, code } = await resultOf(tidemark('explain', 'input-topic', '0@1'))
    expect(code).toBe(0)
    expect(out).toMatch(/Dead letter to reconcile-dlq\n[\s\S]*header error-code: malformed-json/)
  })

  test.each([
    [['input-topic', '0@7'], 'There is no record input-topic 0@7'],
    [['input-topic', '7'], 'is no position'],
    [['many', '0@0'], 'does not read topic many'],
  ])('%j is refused', async (args, reason) => {
    const { err, code } = await resultOf(tidemark('explain', ...args))
    expect(code).toBe(2)
    expect(err).toContain(reason)
  })
})
