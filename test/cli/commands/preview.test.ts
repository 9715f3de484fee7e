import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { root } from '../cliProcess.ts'
import { testCli } from '../testCli.ts'

const count = path.join(root, 'test/support/jobs/count.ts')

let directory: string
beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'tidemark-preview-'))
})
afterEach(() => {
  rmSync(directory, { recursive: true })
})

test('keyed state goes from record to record, begins empty at each preview, and is not committed', async () => {
  const lines = ['k', 'k', 'l', 'k', 'k'].map((key) => `${JSON.stringify({ key, value: 'e' })}\n`)
  await testCli({ directory, stdin: lines.join('') }, 'topic', 'write', 'events', '--json')
  for (const _time of [1, 2]) {
    const { code, out } = await testCli({ directory }, 'preview', count)
    expect(code).toBe(0)
    const numbers = (key: string): readonly string[] =>
      [...out.matchAll(new RegExp(`key ${key}\\n {2}value \\{"count":(\\d+)`, 'g'))].map(([, number = '']) => number)
    expect(numbers('k')).toEqual(['1', '2', '3', '4'])
    expect(numbers('l')).toEqual(['1'])
    expect(out).toContain('Keyed state began empty, whatever the job has committed. Nothing was committed.')
  }
  expect((await testCli({ directory }, 'topic', 'list', '--internal')).out).not.toContain('changelog')
})
