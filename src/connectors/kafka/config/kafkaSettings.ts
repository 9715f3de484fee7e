import * as E from 'fp-ts/lib/Either.js'
import { setting, type SettingCodec, type SettingsOf } from '../../../core/setting.ts'
import {
  bytes,
  choice,
  durationMs,
  filePath,
  flag,
  hostPorts,
  integer,
  text,
  textCodec,
} from '../../../core/settingCodecs.ts'

/** A setting of Kafka's producers that has one value here: everything else would be weaker than exactly-once. */
function only(value: string, also: readonly string[], why: string): SettingCodec<string> {
  return textCodec(
    value,
    (input): E.Either<string, string> =>
      [value, ...also].includes(input.trim().toLowerCase()) ? E.right(value) : E.left(`${value}: ${why}`),
    String,
  )
}

const mechanism = choice(['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512', 'OAUTHBEARER'])
const protocol = choice(['PLAINTEXT', 'SSL', 'SASL_PLAINTEXT', 'SASL_SSL'])
const storeType = choice(['PEM', 'PKCS12', 'JKS'])
/** Java's way to say "do not compare the host name". */
const endpointIdentification = textCodec(
  'https, or none to accept any host name',
  (input) => {
    const word = input.trim().toLowerCase()
    if (word === 'https') return E.right('https' as const)
    return word === '' || word === 'none' ? E.right('none' as const) : E.left('https, or none to accept any host name')
  },
  (value) => value,
)

const pemRule = 'a text in PEM, which begins with -----BEGIN'
/** Certificates are no secrets, and anything else in their place may be one. */
const pemText = textCodec(
  pemRule,
  (input) => (input.trim().startsWith('-----BEGIN ') ? E.right(input.trim()) : E.left(pemRule)),
  (value) => value,
)

const tokenEndpointRule = 'a URL of http or https, without user and password'
/** User and password are those of sasl.jaas.config, and fetch takes none in a URL. */
const tokenEndpoint = textCodec(
  tokenEndpointRule,
  (input) => {
    const url = URL.parse(input.trim())
    const isRight = url !== null && /^https?:$/.test(url.protocol) && url.username === '' && url.password === ''
    return isRight ? E.right(input.trim()) : E.left(tokenEndpointRule)
  },
  (value) => value,
)

/** Room for the slot's number behind it: Kafka takes 249 characters. */
const instanceIdRule = 'at most 240 letters, digits, dots, hyphens and underscores'
const instanceId = textCodec(
  instanceIdRule,
  (input) => {
    const trimmed = input.trim()
    return /^[\w.-]{1,240}$/.test(trimmed) ? E.right(trimmed) : E.left(instanceIdRule)
  },
  (value) => value,
)

/** As Java's clients spell them; `kafka.` may stand before each. */
const javaSettings = {
  'security.protocol': setting(protocol, {
    optional: true,
    meaning: 'How brokers are reached: with or without TLS, with or without authentication.',
    example: 'SASL_SSL',
  }),
  'sasl.mechanism': setting(mechanism, {
    optional: true,
    meaning: 'How this user authenticates.',
    example: 'SCRAM-SHA-512',
  }),
  'sasl.jaas.config': setting(text, {
    optional: true,
    secret: true,
    meaning: 'User name and password as a Java login module takes them.',
    example: "org.apache.kafka.common.security.plain.PlainLoginModule required username='key' password='secret';",
  }),
  'sasl.oauthbearer.token.endpoint.url': setting(tokenEndpoint, {
    optional: true,
    meaning: 'Where OAUTHBEARER tokens are fetched with clientId and clientSecret of sasl.jaas.config.',
    example: 'https://login.example.com/oauth2/token',
  }),
  'ssl.truststore.location': setting(filePath, {
    optional: true,
    meaning: 'File with the certificates of the authorities that are trusted (PEM); absent: those of the system.',
    example: '/etc/kafka/ca.pem',
  }),
  'ssl.truststore.certificates': setting(pemText, {
    optional: true,
    meaning: 'The same certificates themselves (PEM).',
    example: '-----BEGIN CERTIFICATE----- …',
  }),
  'ssl.truststore.type': setting(storeType, {
    optional: true,
    meaning: 'Format of the truststore; only PEM.',
    example: 'PEM',
  }),
  'ssl.truststore.password': setting(text, {
    optional: true,
    secret: true,
    meaning: 'Not used: PEM files have none.',
    example: 'secret',
  }),
  'ssl.keystore.location': setting(filePath, {
    optional: true,
    meaning: "File with this client's own key and certificate (PEM or PKCS12), for brokers that ask for one.",
    example: '/etc/kafka/client.p12',
  }),
  'ssl.keystore.type': setting(storeType, {
    optional: true,
    meaning: 'Format of the keystore: PEM or PKCS12.',
    example: 'PKCS12',
  }),
  'ssl.keystore.password': setting(text, {
    optional: true,
    secret: true,
    meaning: 'Password of a PKCS12 keystore.',
    example: 'secret',
  }),
  'ssl.keystore.certificate.chain': setting(pemText, {
    optional: true,
    meaning: "This client's certificate itself (PEM).",
    example: '-----BEGIN CERTIFICATE----- …',
  }),
  'ssl.keystore.key': setting(text, {
    optional: true,
    secret: true,
    meaning: "This client's private key itself (PEM).",
    example: '-----BEGIN PRIVATE KEY----- …',
  }),
  'ssl.key.password': setting(text, {
    optional: true,
    secret: true,
    meaning: 'Password of the private key.',
    example: 'secret',
  }),
  'ssl.endpoint.identification.algorithm': setting(endpointIdentification, {
    optional: true,
    meaning: "Whether the broker's host name must be that of its certificate.",
    example: 'https',
  }),
}

type JavaSettings = typeof javaSettings
type Prefixed = { readonly [Key in keyof JavaSettings as `kafka.${Key}`]: JavaSettings[Key] }

/** Each key of the record with `kafka.` before it. */
function prefixed(specs: JavaSettings): Prefixed {
  // Object.fromEntries knows no key names.
  return Object.fromEntries(Object.entries(specs).map(([key, spec]) => [`kafka.${key}`, spec])) as unknown as Prefixed
}

/** Every setting of the Kafka connector. */
export const kafkaSettings = {
  'kafka.bootstrap.servers': setting(hostPorts(9092), {
    optional: true,
    meaning: 'Kafka brokers; absent: topics are in data.dir.',
    example: 'localhost:9092',
  }),
  'kafka.client.id': setting(text, {
    default: 'tidemark',
    meaning: "Name of this program in the brokers' logs and quotas.",
    example: 'reconcile',
  }),
  'kafka.ssl': setting(flag, {
    optional: true,
    meaning: 'Reach brokers with TLS; security.protocol says the same.',
    example: 'true',
  }),
  'kafka.sasl.username': setting(text, {
    optional: true,
    meaning: 'User name, where sasl.jaas.config is not used.',
    example: 'reconcile',
  }),
  'kafka.sasl.password': setting(text, {
    optional: true,
    secret: true,
    meaning: 'Password of that user.',
    example: 'secret',
  }),
  'kafka.sasl.token': setting(text, {
    optional: true,
    secret: true,
    meaning: 'A fixed OAUTHBEARER token.',
    example: 'eyJhbGciOi…',
  }),
  ...javaSettings,
  ...prefixed(javaSettings),
  'kafka.acks': setting(
    only('all', ['-1'], 'records that fewer replicas have could be lost after they were acknowledged'),
    {
      default: 'all',
      meaning: 'Replicas that must have a record before it counts; only all.',
      example: 'all',
    },
  ),
  'kafka.enable.idempotence': setting(only('true', [], 'without it a repeated send doubles records'), {
    default: 'true',
    meaning: 'Whether the brokers recognise a repeated send; only true.',
    example: 'true',
  }),
  'kafka.compression.type': setting(choice(['none', 'gzip', 'zstd']), {
    default: 'none',
    meaning: 'How outputs are compressed; inputs are read in every compression that Kafka has.',
    example: 'zstd',
  }),
  'kafka.group.instance.id': setting(instanceId, {
    optional: true,
    meaning:
      'Name by which the consumer group knows this process again after a restart, with the number of its slot behind it; absent: a random one, kept in data.dir.',
    example: 'reconcile-a',
  }),
  'kafka.session.timeout.ms': setting(durationMs({ minMs: 1000 }), {
    default: 15_000,
    meaning: 'A process without a heartbeat for so long is dead, and its tasks go to the others.',
    example: '15000',
  }),
  'kafka.heartbeat.interval.ms': setting(durationMs({ minMs: 50 }), {
    optional: true,
    meaning: 'Time between heartbeats; absent: a tenth of the session timeout.',
    example: '1500',
  }),
  'kafka.rebalance.timeout.ms': setting(durationMs({ minMs: 1000 }), {
    default: 60_000,
    meaning: 'So long a rebalance waits for processes that are alive; half of it is for finishing epochs.',
    example: '60000',
  }),
  'kafka.request.timeout.ms': setting(durationMs({ minMs: 1000 }), {
    default: 30_000,
    meaning: 'A broker that has not answered a request after so long does not answer.',
    example: '30000',
  }),
  'kafka.connection.timeout.ms': setting(durationMs({ minMs: 100 }), {
    default: 5000,
    meaning: 'Longest time for making a connection.',
    example: '5000',
  }),
  'kafka.transaction.timeout.ms': setting(durationMs({ minMs: 1000 }), {
    optional: true,
    meaning: 'After so long the brokers abort a transaction; absent: what the checkpoint settings need.',
    example: '120000',
  }),
  'kafka.discovery.interval.ms': setting(durationMs({ minMs: 100 }), {
    default: 60_000,
    meaning: 'How often new topics of a pattern and new partitions are looked for.',
    example: '60000',
  }),
  'kafka.read.ahead.records': setting(integer({ min: 1 }), {
    default: 10_000,
    meaning: 'Records that a task reads ahead before it stops fetching.',
    example: '10000',
  }),
  'kafka.read.ahead.bytes': setting(bytes({ min: 1024 }), {
    default: 4 * 1024 * 1024,
    meaning: 'Bytes that a task reads ahead before it stops fetching.',
    example: '4 MiB',
  }),
  'kafka.read.ahead.process.bytes': setting(bytes({ min: 1024 }), {
    default: 64 * 1024 * 1024,
    meaning:
      'Bytes that all tasks of a process read ahead together; a record that takes more (and more than 16 MiB) is not read.',
    example: '64 MiB',
  }),
} as const

export type KafkaSettings = SettingsOf<typeof kafkaSettings>

/** The value of a setting in Java's spelling, with or without the prefix, which wins. */
export function javaSetting<Key extends keyof JavaSettings>(values: KafkaSettings, key: Key): KafkaSettings[Key] {
  // Both have the type that the spec of `key` decodes to.
  return (values[`kafka.${key}`] ?? values[key]) as KafkaSettings[Key]
}
