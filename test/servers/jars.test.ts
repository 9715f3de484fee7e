import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { haveJars, jarClassPath } from './jars.ts'
import { findJava } from './java.ts'

let folder = ''
let environment: NodeJS.ProcessEnv = {}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tidemark-jars-'))
  environment = { PATH: `${join(folder, 'bin')}:${process.env['PATH'] ?? ''}`, XDG_CACHE_HOME: join(folder, 'cache') }
})

afterEach(() => {
  rmSync(folder, { recursive: true, force: true })
})

/** Puts a shell script in the place of a program. */
function program(path: string, script: string): void {
  const file = join(folder, path)
  mkdirSync(join(file, '..'), { recursive: true })
  writeFileSync(file, `#!/bin/sh\n${script}\n`)
  chmodSync(file, 0o755)
}

/** A Maven that writes one jar where it is told to, and its arguments and its pom beside the cache. */
const maven = (): string => `
[ "$1" = --version ] && exit 0
for argument; do case "$argument" in -DoutputDirectory=*) out="\${argument#-DoutputDirectory=}";; esac; done
echo "$@" >> '${join(folder, 'calls')}'
cp pom.xml '${join(folder, 'pom.xml')}'
mkdir "$out" && touch "$out/a.jar"`

describe('the jars of a server', () => {
  it('are fetched once, by a pinned plugin, into the cache of the user', async () => {
    program('bin/mvn', maven())
    const told: string[] = []
    const options = { environment, onDownload: (what: string) => told.push(what) }
    const home = join(folder, 'cache', 'tidemark', 'kafka-4.1.1')
    expect(haveJars('kafka', options)).toBe(false)
    expect(await jarClassPath('kafka', options)).toBe(join(home, '*'))
    expect(await jarClassPath('kafka', options)).toBe(join(home, '*'))
    expect(readdirSync(home)).toEqual(['a.jar'])
    expect(told).toEqual([`kafka 4.1.1 into ${home}`])
    expect(readFileSync(join(folder, 'calls'), 'utf8')).toMatch(/^[^\n]*maven-dependency-plugin:3\.8\.1:[^\n]*\n$/)
    expect(readFileSync(join(folder, 'pom.xml'), 'utf8')).toContain(
      '<dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>4.1.1</version></dependency>',
    )
  })

  it('are whole when two ask at once, and nothing else is left in the cache', async () => {
    program('bin/mvn', `${maven()}\nsleep 0.2`)
    const options = { environment, cacheDir: join(folder, 'own') }
    await Promise.all([jarClassPath('cassandra', options), jarClassPath('cassandra', options)])
    expect(readdirSync(join(folder, 'own'))).toEqual(['cassandra-5.0.6'])
  })

  it('are not there when Maven fails, and what it said is told', async () => {
    program('bin/mvn', '[ "$1" = --version ] && exit 0\necho "[ERROR] No route to host"; exit 1')
    await expect(jarClassPath('kafka', { environment })).rejects.toThrow(/exit code 1[^]*\[ERROR\] No route to host/)
    expect(readdirSync(join(folder, 'cache', 'tidemark'))).toEqual([])
  })

  it('name what to install when there is no Maven', async () => {
    const options = { environment: { ...environment, PATH: join(folder, 'bin') } }
    await expect(jarClassPath('kafka', options)).rejects.toThrow('apt-get install openjdk-17-jre-headless maven')
    expect(existsSync(join(folder, 'cache'))).toBe(false)
  })
})

describe('java', () => {
  it('is the one of JAVA_HOME when that has version 17, and else another one that has', () => {
    program('seventeen/bin/java', `echo 'openjdk version "17.0.15" 2025-04-15' >&2`)
    program('newer/bin/java', `echo 'openjdk version "25" 2025-09-16' >&2`)
    program('bin/java', `echo 'openjdk version "17.0.1"' >&2`)
    const of = (home: string): string => findJava({ ...environment, JAVA_HOME: join(folder, home) })
    expect(of('seventeen')).toBe(join(folder, 'seventeen/bin/java'))
    expect(of('newer')).toBe('java')
    expect(of('nowhere')).toBe('java')
  })
})
