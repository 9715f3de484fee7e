import { findJava, findMaven } from '../servers/java.ts'
import { haveJars } from '../servers/jars.ts'
import { whyNoDocker } from '../servers/docker.ts'
import { messageOf } from '../../src/core/errors.ts'

/** What a suite can need: the shared Kafka or Cassandra of the run, or Java for servers of its own that it may kill. */
export type Need = 'kafka' | 'cassandra' | 'java'

/** Where the shared servers come from, and what cannot be had at all. Plain data: it travels to the test processes. */
export interface ServerPolicy {
  /** `address`: given by the environment; `docker`, `jars`: started by the run at the first use; else why not. */
  readonly source: Readonly<Record<Need, 'address' | 'docker' | 'jars' | { readonly unavailable: string }>>
  /** Whoever asked for real servers wants no suite left out: what is unavailable fails instead of being skipped. */
  readonly missingFails: boolean
  readonly addresses: { readonly kafka: string | undefined; readonly cassandra: CassandraPlace | undefined }
}

export interface CassandraPlace {
  /** `host:port`, several separated by commas. */
  readonly contactPoints: string
  readonly datacenter: string
}

/** What the machine offers; asked only where it matters, since asking takes a second. */
export interface Machine {
  whyNoDocker(): string | undefined
  whyNoJars(): string | undefined
}

const notAsked = 'real servers are started only with TEST_SERVERS=1 or CI=true'
const notGiven = `${notAsked}, or given by address (docs/services.md)`

/** Given addresses first, else containers, else jars; the last two only where CI or TEST_SERVERS asks for them. */
export function serverPolicy(
  environment: NodeJS.ProcessEnv,
  machine: Machine = thisMachine(environment),
): ServerPolicy {
  const given = (name: string): string | undefined => (environment[name] === '' ? undefined : environment[name])
  const kafka = given('KAFKA_BOOTSTRAP_SERVERS')
  const cassandra = cassandraPlace(given('CASSANDRA_CONTACT_POINTS'), given('CASSANDRA_LOCAL_DATACENTER'))
  const asked = isOn(environment['CI']) || isOn(environment['TEST_SERVERS'])
  const noDocker = asked ? machine.whyNoDocker() : notAsked
  const noJars = asked ? machine.whyNoJars() : notAsked
  const start = () => {
    if (noDocker === undefined) return 'docker'
    if (noJars === undefined) return 'jars'
    return { unavailable: asked ? `${noJars} (and Docker: ${noDocker})` : notGiven }
  }
  return {
    missingFails: asked,
    addresses: { kafka, cassandra },
    source: {
      kafka: kafka === undefined ? start() : 'address',
      cassandra: cassandra === undefined ? start() : 'address',
      java: noJars === undefined ? 'jars' : { unavailable: noJars },
    },
  }
}

function cassandraPlace(contactPoints?: string, datacenter?: string): CassandraPlace | undefined {
  if (contactPoints === undefined) return undefined
  if (datacenter !== undefined) return { contactPoints, datacenter }
  throw new Error('CASSANDRA_CONTACT_POINTS is set: set CASSANDRA_LOCAL_DATACENTER too, for example datacenter1')
}

function isOn(value: string | undefined): boolean {
  return value === 'true' || value === '1'
}

function thisMachine(environment: NodeJS.ProcessEnv): Machine {
  return {
    whyNoDocker: () => whyNoDocker(environment),
    whyNoJars() {
      try {
        findJava(environment)
        if (!haveJars('kafka', { environment }) || !haveJars('cassandra', { environment })) findMaven(environment)
        return undefined
      } catch (error) {
        return messageOf(error)
      }
    },
  }
}
