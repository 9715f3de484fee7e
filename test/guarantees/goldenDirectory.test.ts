import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { resultOf, root, startProcess } from '../cli/cliProcess.ts'
import { testCli } from '../cli/testCli.ts'
import { temporaryDirectory } from '../connectors/embedded/temporaryDirectory.ts'

/**
 * A data directory as version 0.1.0 (commit 10bdeee) left it: `tidemark run jobs/reconcile.ts` on its sample, then
 * test/support/jobs/count.ts over 1,000 events of 50 keys, and 200 more events that nobody has read yet.
 */
const golden = path.resolve(import.meta.dirname, 'golden/data-directory-10bdeee.tar.gz')
const keys = 50
const events = 1_200

interface Count {
  readonly count: number
  readonly event: string
}

/** What is there, without format and bytes. */
function withoutHead(text: string): readonly string[] {
  return text.split('\n').slice(1)
}

describe('a data directory of version 0.1.0', () => {
  let directory: { readonly path: string; remove(): Promise<void> }

  beforeAll(async () => {
    directory = await temporaryDirectory()
    execFileSync('tar', ['-xzf', golden, '-C', directory.path])
  })
  afterAll(() => directory.remove())

  const tidemark = async (...args: readonly string[]): Promise<string> => {
    const run = await resultOf(startProcess(directory.path, ['src/cli/tidemark.js', ...args]))
    expect(run).toMatchObject({ code: 0 })
    return run.out
  }

  it('is marked as a directory of Tidemark by the first command that writes, with a line, and by none that reads', async () => {
    const marker = path.join(directory.path, 'tidemark.json')
    const io = { directory: root, environment: { DATA_DIR: directory.path, DASHBOARD_PORT: '0' } }
    expect(await testCli(io, 'topic', 'list')).toMatchObject({ code: 0 })
    expect(existsSync(marker)).toBe(false)
    const commands = [
      ['topic', 'create', 'marked'],
      ['run', 'jobs/reconcile.ts', '--dashboard.port=0'],
    ]
    const said = []
    for (const command of commands) {
      const { err } = await testCli(io, ...command)
      said.push(err.split('\n').filter((line) => line.includes('earlier version')))
    }
    expect(said).toEqual([[expect.stringContaining('tidemark.json marks it')], []])
    expect(existsSync(marker)).toBe(true)
  })

  it('shows its topics and rows as they were', async () => {
    expect((await tidemark('topic', 'list')).split('\n').map((line) => line.split(/ {2,}/))).toEqual(
      expect.arrayContaining([
        ['counts', '4', '1000', '280 360 300 60'],
        ['events', '4', '1200', '336 432 360 72'],
        ['input-topic', '4', '600', '134 170 161 135'],
        ['reconcile', '4', '558', '123 160 150 125'],
        ['reconcile-dlq', '4', '42', '11 10 11 10'],
      ]),
    )
    expect(await tidemark('table', 'list')).toContain('shop.orders')
  })

  it('goes on behind what was committed: nothing is reconciled twice', async () => {
    expect(await tidemark('run', 'jobs/reconcile.ts', '--dashboard.port=0')).toContain('Nothing new')
    expect(await tidemark('topic', 'list')).toMatch(/^reconcile +4 +558 /m)
  })

  it('goes on with its keyed state: every key is counted on from where it was', async () => {
    const count = ['src/cli/tidemark.js', 'run', 'test/support/jobs/count.ts', '--dashboard.port=0']
    const { code, err } = await resultOf(startProcess(directory.path, count))
    expect(code).toBe(0)
    // Its local copies have no checksums: each is restored from its changelog, with a line.
    expect(err.match(/restored from its changelog/g)).toHaveLength(4)
    expect(err).toContain('format of an earlier version')
    const lines = (await tidemark('topic', 'read', 'counts', '--json', '--limit', '5000')).trim().split('\n')
    const counts = new Map<string, Count[]>()
    for (const line of lines) {
      const { key, value } = JSON.parse(line) as { readonly key: string; readonly value: string }
      counts.set(key, [...(counts.get(key) ?? []), JSON.parse(value) as Count])
    }
    expect(counts.size).toBe(keys)
    for (const [key, ofKey] of counts) {
      const number = Number(key.slice(1))
      const expected = Array.from({ length: events / keys }, (_, n) => ({
        count: n + 1,
        event: `event ${String(n * keys + number)}`,
      }))
      expect(ofKey.toSorted((a, b) => a.count - b.count)).toEqual(expected)
    }
  })
})

describe('the store of a data directory of version 0.1.0', () => {
  let directory: { readonly path: string; remove(): Promise<void> }

  beforeAll(async () => {
    directory = await temporaryDirectory()
    execFileSync('tar', ['-xzf', golden, '-C', directory.path])
  })
  afterAll(() => directory.remove())

  const check = async (): Promise<string> => {
    const run = await resultOf(startProcess(directory.path, ['src/cli/tidemark.js', 'store', 'check']))
    expect(run).toMatchObject({ code: 0 })
    return run.out
  }

  it('is whole, in the format that it has', async () => {
    const said = await check()
    expect(said).toMatch(/store format 1, \d+ committed positions\n/)
    expect(said).toMatch(/^events +0 +0–335$/m)
    expect(said).toMatch(/Everything is whole\.\n$/)
  })

  it('is upgraded once, with a line, and has everything that it had', { timeout: 60_000 }, async () => {
    const before = withoutHead(await check())
    const first = await resultOf(startProcess(directory.path, ['src/cli/tidemark.js', 'topic', 'list', '--internal']))
    expect(first).toMatchObject({
      code: 0,
      err: expect.stringMatching(/is of store format 1, and becomes one of format 2/),
    })
    const again = await resultOf(startProcess(directory.path, ['src/cli/tidemark.js', 'topic', 'list', '--internal']))
    expect(again).toMatchObject({ code: 0, err: '', out: first.out })
    const after = await check()
    expect(after).toMatch(/store format 2, /)
    // Compaction had left gaps in changelogs; they are closed.
    expect(withoutHead(after)).toEqual(before.map((line) => line.replace(/(-changelog .*) without .*/, '$1')))
  })
})
