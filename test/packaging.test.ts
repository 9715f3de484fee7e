import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const repository = join(import.meta.dirname, '..')
let folder = ''
let project = ''

/** The README's minimum job, as a user would save it in an empty project. */
const job = readFileSync(join(repository, 'jobs', 'uppercase.ts'), 'utf8')

interface Manifest {
  readonly dependencies: Readonly<Record<string, string>>
  readonly peerDependencies: Readonly<Record<string, string>>
  readonly bin: Readonly<Record<string, string>>
}

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tidemark-package-'))
  run(repository, 'node', '.ci/buildPackage.ts', join(folder, 'built'))
  run(folder, 'npm', 'pack', './built', '--silent')
  project = join(folder, 'project')
  install(join(folder, 'tidemark-0.1.0.tgz'))
  writeFileSync(join(project, 'job.ts'), job)
})

afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('the published package', () => {
  it('holds JavaScript, types, the tool and the papers, and no TypeScript source', () => {
    const files = run(folder, 'tar', '-tzf', 'tidemark-0.1.0.tgz').split('\n')
    const expected = ['README.md', 'LICENSE', 'CHANGELOG.md', 'src/index.js', 'src/index.d.ts', 'src/cli/tidemark.js']
    expect(files).toEqual(expect.arrayContaining(expected.map((file) => `package/${file}`)))
    expect(files.filter((file) => /(?<!\.d)\.ts$/.test(file) || file.includes('tsbuildinfo'))).toEqual([])
  })

  it('gives a job its types', () => {
    const options = ['--ignoreConfig', '--noEmit', '--strict', '--module', 'nodenext', '--types', 'node']
    expect(run(project, 'tsc', ...options, '--typeRoots', join(repository, 'node_modules', '@types'), 'job.ts')).toBe(
      '',
    )
  })

  it('has a command line tool that npx finds', () => {
    expect(run(project, 'npx', '--no-install', 'tidemark', '--help')).toContain('Usage: tidemark')
  })

  it('has a part for tests', () => {
    const program = `import { runJob } from 'tidemark/testing'; console.log(typeof runJob)`
    expect(run(project, 'node', '--input-type=module', '--eval', program)).toBe('function\n')
  })

  it('runs the minimum job with plain node', () => {
    const tidemark = join(project, 'node_modules', '.bin', 'tidemark')
    writeFileSync(join(project, 'input.txt'), 'ebb\nflood\n')
    for (const topic of ['input.topic', 'output.topic']) run(project, tidemark, 'topic', 'create', topic)
    run(project, tidemark, 'topic', 'write', 'input.topic', 'input.txt')
    run(project, 'node', 'job.ts')
    expect(run(project, tidemark, 'topic', 'read', 'output.topic').split('\n').sort()).toEqual(['', 'EBB', 'FLOOD'])
  }, 60_000)
})

/**
 * Does what `npm install` does, without a network: unpacks the package, links its bin, and puts beside it what it
 * declares as dependencies. One that it imports and does not declare is therefore not found.
 */
function install(tarball: string): void {
  const home = join(project, 'node_modules', 'tidemark')
  mkdirSync(home, { recursive: true })
  writeFileSync(join(project, 'package.json'), '{ "name": "empty", "private": true, "type": "module" }')
  run(project, 'tar', '-xzf', tarball, '-C', home, '--strip-components=1')
  const { dependencies, peerDependencies, bin } = JSON.parse(
    readFileSync(join(home, 'package.json'), 'utf8'),
  ) as Manifest
  for (const name of Object.keys({ ...dependencies, ...peerDependencies }))
    link(join(repository, 'node_modules', name), name)
  for (const [name, file] of Object.entries(bin)) link(join(home, file), join('.bin', name))
}

function link(target: string, name: string): void {
  if (!existsSync(target)) throw new Error(`${target} is missing: run npm ci`)
  const path = join(project, 'node_modules', name)
  mkdirSync(dirname(path), { recursive: true })
  symlinkSync(target, path)
}

/** The command's standard output; throws with all of its output when it fails. */
function run(cwd: string, command: string, ...args: readonly string[]): string {
  const { status, error, stdout, stderr } = spawnSync(command, args, { cwd, encoding: 'utf8' })
  if (status === 0) return stdout
  throw new Error(`${command} ${args.join(' ')} failed with ${status}: ${error?.message ?? ''}${stdout}${stderr}`)
}
