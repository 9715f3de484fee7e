import { existsSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { TidemarkError } from '../../src/core/errors.ts'
import type { ComposeProject } from './docker.ts'
import { daemonPid } from './localServer.ts'

/** What `services:up` started, written before it starts anything, so that `services:down` can end a half start too. */
export interface ServicesRecord {
  readonly from: 'docker' | 'jars'
  readonly kafkaPort: number
  readonly cassandraPort: number
  readonly brokers: 1 | 3
}

export function readRecord(directory: string): ServicesRecord | undefined {
  const file = recordFile(directory)
  if (!existsSync(file)) return undefined
  const found: unknown = JSON.parse(readFileSync(file, 'utf8'))
  if (isRecord(found)) return found
  throw new TidemarkError(
    'invalid-input',
    `${file} is not what services:up wrote: end the servers by hand and remove it`,
  )
}

export function writeRecord(directory: string, record: ServicesRecord): void {
  mkdirSync(directory, { recursive: true })
  writeFileSync(recordFile(directory), `${JSON.stringify(record)}\n`)
}

export function removeRecord(directory: string): void {
  rmSync(recordFile(directory), { force: true })
}

export const kafkaDirectory = (directory: string): string => join(directory, 'kafka')
export const cassandraDirectory = (directory: string): string => join(directory, 'cassandra')

/** The directories of all servers that have, or had, a process: Cassandra's first, which takes longest to end. */
export function serverDirectories(directory: string): readonly string[] {
  return ['cassandra', 'kafka/*'].flatMap((pattern) =>
    globSync(join(pattern, 'server.pid'), { cwd: directory })
      .toSorted()
      .map((file) => join(directory, dirname(file))),
  )
}

/** Process ids of what runs from jars; none for Docker. */
export function daemonPids(directory: string): readonly number[] {
  return serverDirectories(directory)
    .map(daemonPid)
    .filter((pid) => pid !== undefined)
}

/** The bootstrap servers of a record. */
export function kafkaAddress({ kafkaPort, brokers }: ServicesRecord): string {
  return Array.from({ length: brokers }, (_, index) => `127.0.0.1:${String(kafkaPort + index)}`).join(',')
}

export function cassandraAddress({ cassandraPort }: ServicesRecord): string {
  return `127.0.0.1:${String(cassandraPort)}`
}

export function composeProject({ kafkaPort, cassandraPort }: ServicesRecord): ComposeProject {
  return { name: 'tidemark', ports: { kafka: kafkaPort, cassandra: cassandraPort } }
}

function recordFile(directory: string): string {
  return join(directory, 'services.json')
}

function isRecord(found: unknown): found is ServicesRecord {
  if (typeof found !== 'object' || found === null) return false
  const { from, kafkaPort, cassandraPort, brokers } = found as Partial<Record<keyof ServicesRecord, unknown>>
  return (
    (from === 'docker' || from === 'jars') &&
    Number.isInteger(kafkaPort) &&
    Number.isInteger(cassandraPort) &&
    (brokers === 1 || brokers === 3)
  )
}
