import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expect, it } from 'vitest'

const root = path.resolve()
const readme = readFileSync('README.md', 'utf8')

/** The lines of the README's shell blocks, without their comments, in order. */
const commands = [...readme.matchAll(/^```sh\n([\s\S]*?)^```$/gm)]
  .flatMap(([, block = '']) => block.split('\n'))
  .map((line) => line.replace(/\s+#.*$/, '').trim())
  .filter((line) => line !== '')

it('shows the minimum job as it stands in jobs/uppercase.ts, in at most 15 lines', () => {
  const job = readFileSync('jobs/uppercase.ts', 'utf8')
  expect(readme).toContain(`\`\`\`ts\n${job}\`\`\``)
  expect(job.split('\n').filter((line) => line.trim() !== '').length).toBeLessThanOrEqual(15)
})

it('has commands that all work as they stand, in a directory of their own', () => {
  expect(commands).toContain('npm ci && npm start')
  expect(commands).toContain('npm ci && npm test')
  const directory = mkdtempSync(path.join(tmpdir(), 'tidemark-readme-'))
  try {
    symlinkSync(path.join(root, 'node_modules'), path.join(directory, 'node_modules'))
    for (const command of commands) {
      // What is installed stays, and these tests do not run themselves; CI has run both commands before.
      const runnable = command.replaceAll('npm ci && ', '').replaceAll('/tmp/try', path.join(directory, 'try'))
      if (runnable === 'npm test') continue
      const { status, stdout, stderr } = spawnSync('sh', ['-c', runnable], {
        cwd: root,
        encoding: 'utf8',
        input: 'y\n',
        env: { ...process.env, DATA_DIR: path.join(directory, 'data'), NO_COLOR: '1' },
        timeout: 120_000,
      })
      expect({ command, status, stderr }).toMatchObject({ command, status: 0 })
      expect(stdout.length).toBeGreaterThan(0)
    }
    const { stdout } = spawnSync(
      'npx',
      ['tidemark', 'topic', 'read', 'output.topic', '--data-dir', path.join(directory, 'try')],
      {
        cwd: root,
        encoding: 'utf8',
      },
    )
    expect(stdout.split('\n').toSorted()).toEqual(['', 'HELLO', 'WORLD'])
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}, 300_000)
