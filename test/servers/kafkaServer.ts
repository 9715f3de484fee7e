import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { systemRandom } from '../../src/core/ports/random.ts'
import { TidemarkError } from '../../src/core/errors.ts'
import { makeCertificates } from './certificates.ts'
import { freePorts } from './freePorts.ts'
import { jarClassPath, type JarOptions } from './jars.ts'
import { findJava } from './java.ts'
import {
  kafkaLogging,
  kafkaProperties,
  type BrokerPlan,
  type KafkaSecurity,
  type KafkaUser,
} from './kafkaProperties.ts'
import { runKafkaTool } from './kafkaTool.ts'
import { liveBrokers } from './kafkaWire.ts'
import { startLocalServer, type RunningServer } from './localServer.ts'
import { serverDirectory } from './serverDirectory.ts'

export interface KafkaOptions extends JarOptions {
  /** 1 by default. Three give replication 3, min ISR 2 and leaders that can move. */
  readonly brokers?: 1 | 3
  /** Of the first broker; the others take the next ones. Default: free ports. */
  readonly port?: number
  /** Kept when the broker stops, and used again by a later start. Default: a temporary one that goes with this process. */
  readonly dataDir?: string
  /** Broker settings that win over ours: `{ 'transaction.max.timeout.ms': '60000' }`. */
  readonly properties?: Readonly<Record<string, string>>
  /**
   * Beside the plain listener, with an authority of its own: a SASL_SSL one (PLAIN, SCRAM and unsigned OAUTHBEARER), and an
   * SSL one that wants the client's certificate.
   */
  readonly secure?: { readonly users: readonly KafkaUser[] }
  /** `process` (default): ends with this process in every case. `daemon`: outlives it. */
  readonly lifetime?: 'process' | 'daemon'
}

/** How a broker is reached with TLS. */
export interface SecureKafka {
  /** The SASL_SSL listeners. */
  readonly address: string
  /** The listeners that take a client by its certificate, which the same authority has signed. */
  readonly mutualAddress: string
  /** The PEM file of the authority that signed the brokers' certificate. */
  readonly caFile: string
  /** Its key, to sign a client's certificate with. */
  readonly caKeyFile: string
}

/** One broker or three. What is done to it is done to all its brokers; `brokers` gives each one alone. */
export interface RunningKafka extends RunningServer {
  /** `host:port` of every broker, separated by commas: the bootstrap servers. */
  readonly address: string
  /** Of the first broker. */
  readonly pid: number | undefined
  readonly brokers: readonly RunningServer[]
  readonly secure: SecureKafka | undefined
}

/**
 * Starts Kafka (KRaft) on loopback from its jars and resolves when every broker answers as a live member of the cluster.
 * Needs Java 17, and for the first time Maven. Memory: 512 MB of heap a broker.
 */
export async function startKafka(options: KafkaOptions = {}): Promise<RunningKafka> {
  const { brokers: count = 1, lifetime = 'process', properties = {} } = options
  const java = findJava(options.environment)
  const classPath = await jarClassPath('kafka', options)
  const directory = serverDirectory('kafka', options.dataDir, lifetime)
  const plans = await planBrokers(count, directory, options)
  const security = secureSetup(directory, options)
  await prepare(plans, security, properties, options)
  const starts = plans.map(({ id, directory: home, port }) =>
    startLocalServer({
      name: `Kafka broker ${String(id)}`,
      address: `127.0.0.1:${String(port)}`,
      directory: home,
      command: java,
      args: [...javaOptions(home), '-cp', classPath, 'kafka.Kafka', join(home, 'server.properties')],
      lifetime,
      ready: () => joined(`127.0.0.1:${String(port)}`, id),
    }),
  )
  const started = await allOrNone(starts)
  return asOne(started, secureSide(plans, security))
}

function javaOptions(home: string): readonly string[] {
  return [
    '-Xms256m',
    '-Xmx512m',
    '-XX:+UseG1GC',
    '-XX:MaxGCPauseMillis=20',
    '-XX:-UsePerfData',
    `-Dlog4j2.configurationFile=${join(home, 'log4j2.xml')}`,
    `-Djava.io.tmpdir=${home}`,
  ]
}

async function planBrokers(count: number, directory: string, { port, secure }: KafkaOptions): Promise<BrokerPlan[]> {
  const free = await freePorts(count * 4)
  return Array.from({ length: count }, (_, index) => {
    const [first = 0, controllerPort = 0, securePort = 0, mutualPort = 0] = free.slice(index * 4)
    return {
      id: index + 1,
      directory: join(directory, `broker-${String(index + 1)}`),
      port: port === undefined ? first : port + index,
      controllerPort,
      securePort: secure === undefined ? undefined : securePort,
      mutualPort: secure === undefined ? undefined : mutualPort,
    }
  })
}

function secureSetup(directory: string, { secure }: KafkaOptions): KafkaSecurity | undefined {
  if (secure === undefined) return undefined
  const unfit = secure.users.find(({ name, password }) => !/^\w+$/.test(name) || !/^[\w.+=-]+$/.test(password))
  if (unfit !== undefined) {
    throw new TidemarkError('invalid-argument', 'startKafka: a name has letters, digits and _, a password also . + = -')
  }
  return { certificates: makeCertificates(join(directory, 'tls')), users: secure.users }
}

/** Writes each broker's files, and formats a data directory that is new. */
async function prepare(
  plans: readonly BrokerPlan[],
  security: KafkaSecurity | undefined,
  properties: Readonly<Record<string, string>>,
  options: JarOptions,
): Promise<void> {
  // 16 bytes in base64url; the first one is fixed, because an id that begins with - would be read as an option.
  const clusterId = Buffer.from(`01${systemRandom.hex(15)}`, 'hex').toString('base64url')
  const prepareOne = async (plan: BrokerPlan): Promise<void> => {
    mkdirSync(plan.directory, { recursive: true })
    writeFileSync(join(plan.directory, 'log4j2.xml'), kafkaLogging)
    const file = join(plan.directory, 'server.properties')
    writeFileSync(file, kafkaProperties(plan, plans, security, properties), { mode: 0o600 })
    if (existsSync(join(plan.directory, 'data', 'meta.properties'))) return
    const scram = (security?.users ?? []).flatMap(({ name, password }) =>
      ['SCRAM-SHA-256', 'SCRAM-SHA-512'].flatMap((way) => ['-S', `${way}=[name=${name},password=${password}]`]),
    )
    await runKafkaTool('kafka.tools.StorageTool', ['format', '-t', clusterId, '-c', file, ...scram], options)
  }
  await Promise.all(plans.map(prepareOne))
}

async function joined(address: string, id: number): Promise<void> {
  const alive = await liveBrokers(address)
  if (!alive.includes(id))
    throw new TidemarkError('system-unreachable', `Kafka at ${address} is not in its cluster yet`)
}

/** When one broker does not start, the others are ended again. */
async function allOrNone(starts: readonly Promise<RunningServer>[]): Promise<readonly RunningServer[]> {
  const results = await Promise.allSettled(starts)
  const running = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))
  const failed = results.find((result) => result.status === 'rejected')
  if (failed === undefined) return running
  await Promise.all(running.map((broker) => broker.kill9()))
  throw failed.reason
}

function secureSide(plans: readonly BrokerPlan[], security: KafkaSecurity | undefined): RunningKafka['secure'] {
  if (security === undefined) return undefined
  const addressOf = (ports: readonly (number | undefined)[]): string =>
    ports.map((port) => `127.0.0.1:${String(port)}`).join(',')
  const { caFile, caKeyFile } = security.certificates
  return {
    address: addressOf(plans.map(({ securePort }) => securePort)),
    mutualAddress: addressOf(plans.map(({ mutualPort }) => mutualPort)),
    caFile,
    caKeyFile,
  }
}

function asOne(brokers: readonly RunningServer[], secure: RunningKafka['secure']): RunningKafka {
  const all = async (act: (broker: RunningServer) => Promise<void>): Promise<void> => {
    await Promise.all(brokers.map(act))
  }
  return {
    brokers,
    secure,
    address: brokers.map(({ address }) => address).join(','),
    logFile: brokers[0]?.logFile ?? '',
    get pid() {
      return brokers[0]?.pid
    },
    stop: () => all((broker) => broker.stop()),
    kill9: () => all((broker) => broker.kill9()),
    restart: () => all((broker) => broker.restart()),
    freeze() {
      for (const broker of brokers) broker.freeze()
    },
    thaw() {
      for (const broker of brokers) broker.thaw()
    },
  }
}
