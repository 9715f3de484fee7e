import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { root } from '../cliProcess.ts'
import { testCli, type CliResult, type TestCliOptions } from '../testCli.ts'

const uppercase = path.join(root, 'jobs/uppercase.ts')
const count = path.join(root, 'test/support/jobs/count.ts')

let directory: string
beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'tidemark-losses-'))
})
afterEach(() => {
  rmSync(directory, { recursive: true })
})

const cli = (...args: string[]): Promise<CliResult> => testCli({ directory }, ...args)
const run = (job: string, options: Partial<TestCliOptions>, ...args: string[]): Promise<CliResult> =>
  testCli({ directory, ...options }, 'run', job, '--dashboard.port=0', ...args)
const person = (stdin: string): Partial<TestCliOptions> => ({ isPerson: true, stdin })

const readInput = (): Promise<CliResult> => cli('topic', 'read', 'input.topic')

beforeEach(async () => {
  await testCli({ directory, stdin: 'a\nb\nc\n' }, 'topic', 'write', 'input.topic')
})

describe('--fresh', () => {
  test('is not suggested to somebody whose own topic is there', async () => {
    const { code, out } = await run(uppercase, {})
    expect(code).toBe(0)
    expect(out).toContain('Next\n  npx tidemark topic read output.topic\n')
    expect(out).not.toContain('--fresh')
  })

  test('deletes nothing without a terminal, and says what it would have deleted', async () => {
    await run(uppercase, {})
    const { code, err } = await run(uppercase, {}, '--fresh')
    expect(code).toBe(2)
    expect(err).toContain('topic input.topic (3 records); topic output.topic (3 records)')
    expect(err).toContain('add --yes to --fresh')
    expect(err).toContain('code: not-confirmed')
    expect((await readInput()).out.split('\n').toSorted()).toEqual(['', 'a', 'b', 'c'])
  })

  test('shows a person what it will delete, and deletes nothing after a no', async () => {
    const { code, err } = await run(uppercase, person('n\n'), '--fresh')
    expect(code).toBe(0)
    expect(err).toContain('  topic input.topic (3 records)\nGo on? [y/N] Nothing was changed.\n')
    expect((await readInput()).code).toBe(0)
  })

  test.each([
    ['a yes', person('y\n'), []],
    ['--yes', {}, ['--yes']],
  ])('deletes after %s', async (_how, options, args) => {
    expect((await run(uppercase, options, '--fresh', ...args)).err).toContain('unknown-topic')
    expect((await readInput()).err).toContain('unknown-topic')
  })

  test('asks nothing in a directory that has nothing', async () => {
    const empty = mkdtempSync(path.join(tmpdir(), 'tidemark-empty-'))
    try {
      expect((await run(uppercase, {}, '--fresh', '--data-dir', empty)).err).toContain('unknown-topic')
    } finally {
      rmSync(empty, { recursive: true })
    }
  })
})

describe('--reset-offsets', () => {
  test('asks nothing before the first run', async () => {
    expect((await run(uppercase, {}, '--reset-offsets', 'earliest')).code).toBe(0)
  })

  test('doubles no outputs without an agreement', async () => {
    await run(uppercase, {})
    const { code, err } = await run(uppercase, {}, '--reset-offsets', 'earliest')
    expect(code).toBe(2)
    expect(err).toContain('topic output.topic once more, beside its 3 records')
    expect((await cli('topic', 'list')).out).toMatch(/output\.topic +\d +3 /)
    expect((await run(uppercase, {}, '--reset-offsets', 'earliest', '--yes')).code).toBe(0)
    expect((await cli('topic', 'list')).out).toMatch(/output\.topic +\d +6 /)
  })

  test('empties no state without an agreement', async () => {
    await testCli({ directory, stdin: '{"key":"k","value":"a"}\n' }, 'topic', 'write', 'events', '--json')
    expect((await run(count, {})).code).toBe(0)
    expect((await run(count, person('\n'), '--reset-offsets', 'earliest')).err).toContain(
      '  its keyed state is emptied\n',
    )
    expect((await run(count, {})).out).toContain('Nothing new')
  })
})
