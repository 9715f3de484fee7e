import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { withOpenFiles } from '../support/faults/fileLimit.ts'
import { openToOthers, treeOf } from '../support/files/tree.ts'
import { resultOf, root, startProcess, type ProcessResult } from './cliProcess.ts'
import { testCli } from './testCli.ts'

const tableText = '{"keyspace":"a","table":"b","columns":{"id":"int"},"primaryKey":[["id"],[]],"rows":[]}'

let directory: string

beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'tidemark-data-'))
})

afterEach(() => {
  rmSync(directory, { recursive: true, force: true })
})

function make(content: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(content)) {
    mkdirSync(path.dirname(path.join(directory, name)), { recursive: true })
    writeFileSync(path.join(directory, name), text)
  }
}

const cli = (...args: readonly string[]) =>
  testCli({ directory: root, environment: { DATA_DIR: directory, DASHBOARD_PORT: '0' }, stdin: tableText }, ...args)

const reconcile = 'jobs/reconcile.ts'
const kafka = [
  '--kafka.bootstrap.servers=127.0.0.1:1',
  '--cassandra.contact.points=127.0.0.1:1',
  '--cassandra.local.datacenter=dc1',
]

describe("a directory that is not Tidemark's", () => {
  test.each([
    ['run', reconcile],
    ['run', reconcile, '--fresh', '--yes'],
    ['run', reconcile, '--reset-offsets', 'earliest', '--yes'],
    ['run', reconcile, ...kafka],
    ['run', reconcile, '--parallelism', '2', ...kafka],
    ['topic', 'create', 't'],
    ['topic', 'write', 't'],
    ['topic', 'read', 't'],
    ['topic', 'list'],
    ['table', 'load', '-'],
    ['table', 'read', 'a.b'],
    ['table', 'list'],
    ['explain', 'input-topic', '0@0', '--job', reconcile],
    ['preview', reconcile],
  ])('is refused by `%s %s %s`, and nothing in it is touched', async (...args) => {
    make({
      'embedded/firmware.c': 'int main',
      'log/app.log': 'GET /',
      'report.html': '<html>quarterly figures</html>',
      'holder.json': '{"name":"Ada"}',
      'holder.json.next': '{"name":"Eve"}',
    })
    const before = treeOf(directory)
    const { code, err } = await cli(...args)
    expect({ code, err }).toEqual({ code: 2, err: expect.stringContaining('code: foreign-directory') })
    expect(err).toContain(directory)
    expect(treeOf(directory)).toEqual(before)
  })
})

describe('a data directory of this user', () => {
  test('has nothing in it that others may read, write or enter, after runs, state and a report', async () => {
    const data = path.join(directory, 'data')
    const run = (...args: readonly string[]): Promise<ProcessResult> =>
      resultOf(startProcess(data, args, { DASHBOARD_PORT: '0' }))
    expect(await run('src/cli/tidemark.js', 'run', reconcile)).toMatchObject({ code: 0 })
    expect(await run('src/cli/tidemark.js', 'topic', 'create', 'events')).toMatchObject({ code: 0 })
    // A job file as a program of its own.
    expect(await run('test/support/jobs/count.ts')).toMatchObject({ code: 0 })
    const names = ['control', 'embedded', 'log', 'report.html', 'tidemark.json']
    expect(readdirSync(data).toSorted()).toEqual(expect.arrayContaining(names))
    expect(openToOthers(directory)).toEqual([])
  }, 60_000)

  test('is cleared by --fresh but for what others have put there, which is named', async () => {
    await cli('topic', 'create', 'events')
    expect(await cli('run', 'test/support/jobs/count.ts')).toMatchObject({ code: 0 })
    make({ 'embedded/notes.txt': 'mine', 'embedded/count/0/source-0/notes.txt': 'mine', 'notes.txt': 'mine' })
    const { code, err } = await cli('run', reconcile, '--fresh', '--yes')
    expect(code).toBe(0)
    for (const left of ['embedded/notes.txt', 'embedded/count/0/source-0/notes.txt']) {
      expect(err).toContain(`Left where it is, because Tidemark has not made it: ${path.join(directory, left)}\n`)
    }
    const files = Object.keys(treeOf(directory)).filter((name) => name.startsWith('embedded/'))
    expect(files.toSorted()).toEqual([
      'embedded/count',
      'embedded/count/0',
      'embedded/count/0/source-0',
      'embedded/count/0/source-0/notes.txt',
      'embedded/notes.txt',
    ])
    expect(treeOf(directory)).toMatchObject({ 'notes.txt': expect.stringMatching('^file') })
  })

  test('that cannot take the report of a run gets a warning, and the run has ended well', async () => {
    await cli('topic', 'create', 'other')
    mkdirSync(path.join(directory, 'report.html'))
    const { code, err, out } = await cli('run', reconcile, '--fresh', '--yes')
    expect({ code, err }).toEqual({
      code: 0,
      err: expect.stringMatching(/^Warning: The report in .* could not be written: .*EISDIR/m),
    })
    expect(err).toContain('The run is done, and what it has committed is there.')
    expect(out).toContain('Next')
  }, 60_000)
})

describe('a process that may open few files', () => {
  test('ends with the reason, wherever it meets the limit', async () => {
    await cli('topic', 'create', 'events')
    const ends: string[] = []
    for (const count of [28, 34, 64]) {
      const { command, args } = withOpenFiles(count, process.execPath, [
        'src/cli/tidemark.js',
        'run',
        'test/support/jobs/count.ts',
      ])
      const { status, stderr } = spawnSync(command, args, {
        cwd: root,
        env: { DATA_DIR: directory, DASHBOARD_PORT: '0' },
        encoding: 'utf8',
      })
      // Below what Node needs for itself, it ends before there is anything of ours.
      if (/^ {2}code: 'EMFILE'/m.test(stderr)) continue
      expect({ count, status, stderr }).toEqual(
        status === 0
          ? { count, status, stderr: '' }
          : { count, status: 2, stderr: expect.stringMatching(/ulimit -n[^]*code: too-many-files/) },
      )
      ends.push(String(status))
    }
    expect(new Set(ends)).toEqual(new Set(['2', '0']))
  }, 120_000)
})
