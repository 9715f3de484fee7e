import { spawnSync } from 'node:child_process'
import { globSync } from 'node:fs'
import { join } from 'node:path'
import { TidemarkError } from '../../src/core/errors.ts'

/** What Cassandra 5 and Kafka 4 both run on; Cassandra runs on no newer one. */
const javaVersion = 17

const remedy = 'on Debian and Ubuntu: apt-get install openjdk-17-jre-headless maven; then, where needed, set JAVA_HOME'

/**
 * The `java` of version 17: of `JAVA_HOME`, on the PATH, or where Linux distributions install it, whichever is found
 * first. Throws `server-not-started` where there is none.
 */
export function findJava(environment: NodeJS.ProcessEnv = process.env): string {
  const home = environment['JAVA_HOME']
  const installed = globSync('/usr/lib/jvm/*17*/bin/java')
  const candidates = [...(home === undefined ? [] : [join(home, 'bin', 'java')]), 'java', ...installed.toSorted()]
  const versions = new Map<string, number | undefined>()
  for (const candidate of candidates) {
    const version = versionOf(candidate, environment)
    if (version === javaVersion) return candidate
    versions.set(candidate, version)
  }
  const found = [...versions].map(
    ([path, version]) => `${path}: ${version === undefined ? 'not there' : String(version)}`,
  )
  throw new TidemarkError(
    'server-not-started',
    `Java ${String(javaVersion)} was not found (${found.join('; ')}); ${remedy}`,
  )
}

/** Throws `server-not-started` where Maven is not on the PATH. */
export function findMaven(environment: NodeJS.ProcessEnv = process.env): string {
  const { status } = spawnSync('mvn', ['--version'], { env: environment, stdio: 'ignore' })
  if (status === 0) return 'mvn'
  throw new TidemarkError('server-not-started', `Maven (mvn) was not found on the PATH; ${remedy}`)
}

function versionOf(java: string, environment: NodeJS.ProcessEnv): number | undefined {
  const { stderr, status } = spawnSync(java, ['-version'], { env: environment, encoding: 'utf8' })
  const major = status === 0 ? /version "(\d+)/.exec(stderr)?.[1] : undefined
  return major === undefined ? undefined : Number(major)
}
