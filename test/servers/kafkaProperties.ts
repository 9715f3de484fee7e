import { join } from 'node:path'
import type { Certificates } from './certificates.ts'

export interface KafkaUser {
  readonly name: string
  readonly password: string
}

/** One broker, which is its own controller or one of three. */
export interface BrokerPlan {
  readonly id: number
  readonly directory: string
  readonly port: number
  readonly controllerPort: number
  /** The SASL_SSL listener, where there is one. */
  readonly securePort: number | undefined
  /** The TLS listener that wants a client's certificate, beside that one. */
  readonly mutualPort: number | undefined
}

export interface KafkaSecurity {
  readonly certificates: Certificates
  readonly users: readonly KafkaUser[]
}

/** The server.properties of a broker. What is given as `extra` wins. */
export function kafkaProperties(
  broker: BrokerPlan,
  all: readonly BrokerPlan[],
  security: KafkaSecurity | undefined,
  extra: Readonly<Record<string, string>>,
): string {
  const replicas = String(all.length)
  const minInSync = String(Math.min(2, all.length))
  const listeners = [
    `PLAINTEXT://127.0.0.1:${String(broker.port)}`,
    ...(broker.securePort === undefined ? [] : [`SASL_SSL://127.0.0.1:${String(broker.securePort)}`]),
    ...(broker.mutualPort === undefined ? [] : [`MUTUAL://127.0.0.1:${String(broker.mutualPort)}`]),
  ]
  const properties: Readonly<Record<string, string>> = {
    'process.roles': 'broker,controller',
    'node.id': String(broker.id),
    'controller.quorum.voters': all
      .map(({ id, controllerPort }) => `${String(id)}@127.0.0.1:${String(controllerPort)}`)
      .join(','),
    listeners: [...listeners, `CONTROLLER://127.0.0.1:${String(broker.controllerPort)}`].join(','),
    'advertised.listeners': listeners.join(','),
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,SASL_SSL:SASL_SSL,MUTUAL:SSL,CONTROLLER:PLAINTEXT',
    'inter.broker.listener.name': 'PLAINTEXT',
    'controller.listener.names': 'CONTROLLER',
    'log.dirs': join(broker.directory, 'data'),
    // A topic that nobody made is an error to be seen, as on a well-kept cluster.
    'auto.create.topics.enable': 'false',
    'default.replication.factor': replicas,
    'min.insync.replicas': minInSync,
    'offsets.topic.replication.factor': replicas,
    'transaction.state.log.replication.factor': replicas,
    'transaction.state.log.min.isr': minInSync,
    'share.coordinator.state.topic.replication.factor': replicas,
    'share.coordinator.state.topic.min.isr': minInSync,
    // 50 partitions each by default, every one a file to open at a start.
    'offsets.topic.num.partitions': '5',
    'transaction.state.log.num.partitions': '5',
    'group.initial.rebalance.delay.ms': '0',
    // A broker that was killed may not come back before its old session is over: 9 s by default.
    'broker.session.timeout.ms': '3000',
    'broker.heartbeat.interval.ms': '500',
    'num.network.threads': '2',
    'num.io.threads': '4',
    // 128 MB of the heap by default.
    'log.cleaner.dedupe.buffer.size': '16777216',
    ...(security === undefined ? {} : secureProperties(security)),
    ...extra,
  }
  return Object.entries(properties)
    .map(([key, value]) => `${key}=${value.replaceAll('\\', '\\\\')}\n`)
    .join('')
}

function secureProperties({ certificates, users }: KafkaSecurity): Readonly<Record<string, string>> {
  const logins = users.map(({ name, password }) => `user_${name}="${password}"`).join(' ')
  const listener = 'listener.name.sasl_ssl'
  const authentication = 'org.apache.kafka.common.security'
  return {
    'sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER',
    [`${listener}.plain.sasl.jaas.config`]: `${authentication}.plain.PlainLoginModule required ${logins};`,
    [`${listener}.scram-sha-256.sasl.jaas.config`]: `${authentication}.scram.ScramLoginModule required;`,
    [`${listener}.scram-sha-512.sasl.jaas.config`]: `${authentication}.scram.ScramLoginModule required;`,
    // Takes tokens that are not signed: enough to see that a client presents one.
    [`${listener}.oauthbearer.sasl.jaas.config`]: `${authentication}.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker";`,
    'listener.name.mutual.ssl.client.auth': 'required',
    'listener.name.mutual.ssl.truststore.type': 'PEM',
    'listener.name.mutual.ssl.truststore.location': certificates.caFile,
    'ssl.keystore.location': certificates.keystoreFile,
    'ssl.keystore.type': 'PKCS12',
    'ssl.keystore.password': certificates.keystorePassword,
    'ssl.key.password': certificates.keystorePassword,
  }
}

/** Kafka's own log: warnings, and what tells a start or a rebalance. */
export const kafkaLogging = `<?xml version="1.0" encoding="UTF-8"?>
<Configuration status="ERROR">
  <Appenders>
    <Console name="out"><PatternLayout pattern="%d{HH:mm:ss.SSS} %-5p %c{1}: %m%n"/></Console>
  </Appenders>
  <Loggers>
    <Logger name="kafka.server.KafkaRaftServer" level="INFO"/>
    <Logger name="org.apache.kafka.coordinator.group" level="INFO"/>
    <Root level="WARN"><AppenderRef ref="out"/></Root>
  </Loggers>
</Configuration>
`
