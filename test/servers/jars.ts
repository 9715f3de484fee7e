import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { messageOf, TidemarkError } from '../../src/core/errors.ts'
import { findMaven } from './java.ts'

const servers = {
  kafka: {
    version: '4.1.1',
    artifacts: [
      'org.apache.kafka:kafka_2.13:4.1.1',
      'org.apache.kafka:kafka-tools:4.1.1',
      'org.apache.logging.log4j:log4j-slf4j-impl:2.24.3',
      'org.apache.logging.log4j:log4j-core:2.24.3',
    ],
  },
  cassandra: { version: '5.0.6', artifacts: ['org.apache.cassandra:cassandra-all:5.0.6'] },
} as const

export type ServerKind = keyof typeof servers

/** Pinned, because a bare `dependency:` means whatever version is newest on the day. */
const copyDependencies = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies'

export interface JarOptions {
  /** Default: `TIDEMARK_CACHE_DIR`, else `tidemark` under `XDG_CACHE_HOME` or `~/.cache`. */
  readonly cacheDir?: string
  readonly environment?: NodeJS.ProcessEnv
  /** Told before a download begins. */
  readonly onDownload?: (what: string) => void
}

/** The class path of a server's jars, whether they are there yet or not. */
export function jarDirectory(kind: ServerKind, options: JarOptions = {}): string {
  return join(cacheDirectory(options), `${kind}-${servers[kind].version}`)
}

/** Whether the jars were fetched before, so that a start needs neither Maven nor a network. */
export function haveJars(kind: ServerKind, options: JarOptions = {}): boolean {
  return existsSync(jarDirectory(kind, options))
}

/**
 * The class path of a server, `<directory>/*`. The jars (54 MB for Kafka, 66 MB for Cassandra) are fetched by Maven at
 * the first use and kept in the user's cache; several processes may ask at once. Throws `server-not-started` with what
 * Maven said when it fails.
 */
export async function jarClassPath(kind: ServerKind, options: JarOptions = {}): Promise<string> {
  const directory = jarDirectory(kind, options)
  if (!haveJars(kind, options)) await download(kind, directory, options)
  return join(directory, '*')
}

async function download(kind: ServerKind, directory: string, options: JarOptions): Promise<void> {
  const { environment = process.env, onDownload } = options
  const maven = findMaven(environment)
  const { version, artifacts } = servers[kind]
  onDownload?.(`${kind} ${version} into ${directory}`)
  const cache = cacheDirectory(options)
  mkdirSync(cache, { recursive: true })
  const draft = mkdtempSync(join(cache, `${kind}-download-`))
  try {
    writeFileSync(join(draft, 'pom.xml'), pom(artifacts))
    const jars = join(draft, 'jars')
    const args = ['--batch-mode', '--quiet', '-f', 'pom.xml', copyDependencies, `-DoutputDirectory=${jars}`]
    await run(maven, args, draft, environment)
    publish(jars, directory)
  } finally {
    rmSync(draft, { recursive: true, force: true })
  }
}

/** In one step, so that a directory of that name is always whole. Whoever is second finds it there and is content. */
function publish(jars: string, directory: string): void {
  try {
    renameSync(jars, directory)
  } catch (error) {
    if (!existsSync(directory) || readdirSync(directory).length === 0) throw error
  }
}

function pom(artifacts: readonly string[]): string {
  const dependencies = artifacts.map((artifact) => {
    const [group, name, version] = artifact.split(':')
    return `<dependency><groupId>${group}</groupId><artifactId>${name}</artifactId><version>${version}</version></dependency>`
  })
  return `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>tidemark</groupId><artifactId>services</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
    ${dependencies.join('\n    ')}
  </dependencies>
</project>
`
}

function run(command: string, args: readonly string[], cwd: string, env: NodeJS.ProcessEnv): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] })
    const output: string[] = []
    const fail = (why: string): void => {
      const said = output.join('').trim().split('\n').slice(-25).join('\n')
      reject(
        new TidemarkError(
          'server-not-started',
          `Maven could not fetch the jars (${why}). Is its repository reachable, or a mirror set in ~/.m2/settings.xml? It said:\n${said}`,
        ),
      )
    }
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (data: Buffer) => output.push(data.toString()))
    child.once('error', (error) => {
      fail(messageOf(error))
    })
    child.once('close', (code) => {
      if (code === 0) resolve()
      else fail(`exit code ${String(code)}`)
    })
  })
}

function cacheDirectory({ cacheDir, environment = process.env }: JarOptions): string {
  const own = cacheDir ?? environment['TIDEMARK_CACHE_DIR']
  if (own !== undefined && own !== '') return own
  const shared = environment['XDG_CACHE_HOME']
  return join(shared !== undefined && shared !== '' ? shared : join(homedir(), '.cache'), 'tidemark')
}
