import path from 'node:path'
import { cassandraDatacenter, startCassandra } from '../servers/cassandraServer.ts'
import { freePorts } from '../servers/freePorts.ts'
import { startKafka } from '../servers/kafkaServer.ts'
import type { CassandraPlace, ServerPolicy } from './serverPolicy.ts'

/** The Kafka and the Cassandra that all suites of a run share, each started when the first suite asks for it. */
export class SharedServers {
  readonly #policy: ServerPolicy
  readonly #endings: (() => Promise<void>)[] = []
  #kafka: Promise<string> | undefined
  #cassandra: Promise<CassandraPlace> | undefined

  constructor(policy: ServerPolicy) {
    this.#policy = policy
  }

  /** The bootstrap servers. */
  kafka(): Promise<string> {
    this.#kafka ??= this.#startKafka()
    return this.#kafka
  }

  cassandra(): Promise<CassandraPlace> {
    this.#cassandra ??= this.#startCassandra()
    return this.#cassandra
  }

  /** Ends what was started. What was given by address is left alone. */
  async stop(): Promise<void> {
    await Promise.allSettled([this.#kafka, this.#cassandra])
    await Promise.all(this.#endings.map((end) => end()))
  }

  async #startKafka(): Promise<string> {
    const { addresses, source } = this.#policy
    if (addresses.kafka !== undefined) return addresses.kafka
    if (source.kafka === 'docker') return this.#container('kafka')
    const kafka = await startKafka()
    this.#endings.push(() => kafka.kill9())
    return kafka.address
  }

  async #startCassandra(): Promise<CassandraPlace> {
    const { addresses, source } = this.#policy
    if (addresses.cassandra !== undefined) return addresses.cassandra
    if (source.cassandra === 'docker') {
      return { contactPoints: await this.#container('cassandra'), datacenter: cassandraDatacenter }
    }
    const node = await startCassandra()
    // Nobody will want its data, so nothing waits for an orderly end.
    this.#endings.push(() => node.kill9())
    return { contactPoints: node.address, datacenter: node.datacenter }
  }

  /** By testcontainers, from the project's own compose file; its reaper takes down what a killed run leaves behind. */
  async #container(kind: 'kafka' | 'cassandra'): Promise<string> {
    // Only where an engine answers: loading it takes a second.
    const { DockerComposeEnvironment, Wait } = await import('testcontainers')
    const [kafka = 0, cassandra = 0] = await freePorts(2)
    const ports = { kafka, cassandra }
    const environment = await new DockerComposeEnvironment(path.resolve('deploy'), 'docker-compose.yml')
      .withEnvironment({ KAFKA_PORT: String(kafka), CASSANDRA_PORT: String(cassandra) })
      .withDefaultWaitStrategy(Wait.forHealthCheck())
      .up([kind])
    this.#endings.push(async () => {
      await environment.down({ removeVolumes: true })
    })
    return `127.0.0.1:${String(ports[kind])}`
  }
}
