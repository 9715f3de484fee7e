import { readFile, readdir, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { resultOf, startProcess } from '../cli/cliProcess.ts'
import { testCli } from '../cli/testCli.ts'
import { temporaryDirectory } from '../connectors/embedded/temporaryDirectory.ts'
import { damageKinds } from '../support/damage/randomDamage.ts'
import { runTrials, sumOf } from '../support/damage/runTrials.ts'

const trials = 1_000

describe('1,000 random damages', () => {
  test('of a store of keyed state leave the answer what it was, or are restored', { timeout: 120_000 }, async () => {
    const report = await runTrials('keyed state', trials, 9)
    expect(report.wrong).toEqual([])
    expect(Object.keys(report.outcomes).toSorted()).toEqual(damageKinds.toSorted())
    const sum = sumOf(report)
    expect(sum.all).toBe(trials)
    expect(sum['restored']).toBeGreaterThan(trials / 2)
  })
})

describe('a job with keyed state', () => {
  const keys = 6_000
  const blockBytes = 32 * 1024

  test(
    'counts on where the middle of its local log reads as zeros, as a power loss can leave it',
    { timeout: 120_000 },
    async () => {
      const directory = await temporaryDirectory()
      const io = { directory: directory.path, environment: { DATA_DIR: directory.path } }
      const write = async (): Promise<void> => {
        const stdin = Array.from({ length: keys }, (_, key) =>
          JSON.stringify({ key: `${'long '.repeat(16)}${String(key)}`, value: 'x' }),
        )
        await testCli({ ...io, stdin: stdin.join('\n') }, 'topic', 'write', 'events', '--json')
      }
      const run = ['src/cli/tidemark.js', 'run', 'test/support/jobs/count.ts', '--dashboard.port=0']
      try {
        await write()
        // Small epochs, so that a commit behind the damage vouches for what was lost in it.
        const first = await resultOf(
          startProcess(directory.path, [...run, '--checkpoint.interval.ms=10', '--checkpoint.min.pause.ms=0']),
        )
        expect(first.code).toBe(0)
        const log = await largestLog(path.join(directory.path, 'embedded'))
        const bytes = await readFile(log)
        expect(bytes.length).toBeGreaterThan(3 * blockBytes)
        const middle = Math.floor(bytes.length / 2 / 4096) * 4096
        await writeFile(log, bytes.fill(0, middle, middle + 4096))
        await write()
        const second = await resultOf(startProcess(directory.path, run))
        expect(second.code).toBe(0)
        const lines = second.err.split('\n').filter((line) => line.includes('restored from its changelog'))
        expect(lines).toHaveLength(1)
        expect(lines[0]).toContain(path.basename(log))
        const { out } = await testCli(io, 'topic', 'read', 'counts', '--json', '--limit', String(3 * keys))
        const counts = out
          .trim()
          .split('\n')
          .map((line) => JSON.parse((JSON.parse(line) as { value: string }).value) as { count: number })
        expect(counts).toHaveLength(2 * keys)
        expect(counts.filter(({ count }) => count === 2)).toHaveLength(keys)
      } finally {
        await directory.remove()
      }
    },
  )
})

async function largestLog(directory: string): Promise<string> {
  const names = (await readdir(directory, { recursive: true })).filter((name) => name.endsWith('.log'))
  const sizes = await Promise.all(names.map(async (name) => (await stat(path.join(directory, name))).size))
  return path.join(directory, names[sizes.indexOf(Math.max(...sizes))] ?? '')
}
