import { readFileSync } from 'node:fs'
import { systemClock } from '../../src/core/ports/clock.ts'
import { TidemarkError } from '../../src/core/errors.ts'
import { cassandraDatacenter, startCassandra } from './cassandraServer.ts'
import { runCql } from './cqlWire.ts'
import { composeUp, whyNoDocker } from './docker.ts'
import { isFree } from './freePorts.ts'
import { startKafka } from './kafkaServer.ts'
import { makeTopics } from './kafkaWire.ts'
import { parseTopics, splitCql } from './schemaFiles.ts'
import { stopDaemon } from './localServer.ts'
import {
  cassandraAddress,
  cassandraDirectory,
  composeProject,
  kafkaAddress,
  kafkaDirectory,
  daemonPids,
  readRecord,
  removeRecord,
  serverDirectories,
  writeRecord,
  type ServicesRecord,
} from './servicesRecord.ts'
import { servicesStatus } from './servicesStatus.ts'

export interface UpOptions {
  /** Absolute. */
  readonly directory: string
  readonly kafkaPort: number
  readonly cassandraPort: number
  readonly brokers: 1 | 3
  /** Default: Docker where an engine answers, else jars. */
  readonly from: 'docker' | 'jars' | undefined
  readonly withTables: boolean
}

/** Prints one line. */
export type Say = (line: string) => void

const topicsFile = new URL('../../deploy/topics.txt', import.meta.url)
const tablesFile = new URL('../../deploy/tables.cql', import.meta.url)

/**
 * Starts Kafka and Cassandra so that they outlive this process, waits until both answer, and prints the settings with
 * which a job finds them. What runs already is left running. Rejects, with nothing left over of what it started, when one
 * does not start.
 */
export async function servicesUp(options: UpOptions, say: Say): Promise<void> {
  const { directory } = options
  const before = readRecord(directory)
  const running = before !== undefined && (await servicesStatus(directory)).every(({ up }) => up)
  if (running) say('Kafka and Cassandra are running already.')
  else await start(options, say)
  const record = readRecord(directory)
  if (record === undefined) throw new TidemarkError('broken-invariant', `${directory} has no record after the start`)
  if (options.withTables) await applySchema(record, say)
  say('')
  for (const line of settings(record)) say(line)
}

async function start(options: UpOptions, say: Say): Promise<void> {
  const { directory, kafkaPort, cassandraPort, brokers } = options
  const leftOver = daemonPids(directory)
  if (leftOver.length > 0) {
    throw new TidemarkError(
      'directory-in-use',
      `Some servers of ${directory} run and some do not answer (process ids ${leftOver.join(', ')}): npm run services:down, then services:up`,
    )
  }
  const from = choose(options, say)
  const record: ServicesRecord = { from, kafkaPort, cassandraPort, brokers }
  if (from === 'jars') await checkPorts(record)
  writeRecord(directory, record)
  if (from === 'docker') {
    say('Starting containers; the first time this fetches their images.')
    await composeUp(composeProject(record))
    say(
      `Kafka answers on ${kafkaAddress(record)}, Cassandra on ${cassandraAddress(record)}, the Kafka UI on 127.0.0.1:8080.`,
    )
    return
  }
  await startJars(options, say)
}

async function startJars({ directory, kafkaPort, cassandraPort, brokers }: UpOptions, say: Say): Promise<void> {
  const startedAtMs = systemClock.monotonicMs()
  const onDownload = (what: string): void => {
    say(`Fetching ${what} (once).`)
  }
  const told = (name: string, address: string, pid: number | undefined): void => {
    const seconds = ((systemClock.monotonicMs() - startedAtMs) / 1000).toFixed(1)
    say(`${name} answers on ${address} after ${seconds} s (process ${String(pid)}).`)
  }
  const lifetime = 'daemon'
  const starts = [
    startKafka({ dataDir: kafkaDirectory(directory), port: kafkaPort, brokers, lifetime, onDownload }).then((kafka) => {
      told('Kafka', kafka.address, kafka.pid)
    }),
    startCassandra({ dataDir: cassandraDirectory(directory), port: cassandraPort, lifetime, onDownload }).then(
      (node) => {
        told('Cassandra', node.address, node.pid)
      },
    ),
  ]
  const results = await Promise.allSettled(starts)
  const failed = results.find((result) => result.status === 'rejected')
  if (failed === undefined) return
  for (const home of serverDirectories(directory)) await stopDaemon(home)
  removeRecord(directory)
  throw failed.reason
}

function choose({ from, brokers }: UpOptions, say: Say): 'docker' | 'jars' {
  if (from === 'jars') return from
  const whyNot = brokers === 3 ? 'three brokers run from jars only' : whyNoDocker()
  if (whyNot === undefined) return 'docker'
  if (from === 'docker') throw new TidemarkError('server-not-started', `Docker cannot be used: ${whyNot}`)
  say(`From jars, on Java 17 (Docker: ${whyNot}).`)
  return 'jars'
}

async function checkPorts({ kafkaPort, cassandraPort, brokers }: ServicesRecord): Promise<void> {
  const wanted = [...Array.from({ length: brokers }, (_, index) => kafkaPort + index), cassandraPort]
  for (const port of wanted) {
    if (await isFree(port)) continue
    const option = port === cassandraPort ? '--cassandra-port' : '--kafka-port'
    throw new TidemarkError(
      'server-not-started',
      `Something else listens on 127.0.0.1:${String(port)}: end it, or choose another port with ${option}`,
    )
  }
}

async function applySchema(record: ServicesRecord, say: Say): Promise<void> {
  const topics = parseTopics(readFileSync(topicsFile, 'utf8'))
  const [address = ''] = kafkaAddress(record).split(',')
  const made = await makeTopics(address, topics)
  say(`Topics: ${made.length === 0 ? 'all there' : `made ${made.join(', ')}`}.`)
  const statements = splitCql(readFileSync(tablesFile, 'utf8'))
  await runCql({ address: cassandraAddress(record) }, statements)
  const tables = statements.flatMap((statement) => /^CREATE TABLE IF NOT EXISTS (\S+)/.exec(statement)?.[1] ?? [])
  say(`Tables: ${tables.join(', ')}.`)
}

/** As a shell takes them; as settings they are `kafka.bootstrap.servers` and so on. */
function settings(record: ServicesRecord): readonly string[] {
  return [
    `export KAFKA_BOOTSTRAP_SERVERS=${kafkaAddress(record)}`,
    `export CASSANDRA_CONTACT_POINTS=${cassandraAddress(record)}`,
    `export CASSANDRA_LOCAL_DATACENTER=${cassandraDatacenter}`,
  ]
}
