import * as E from 'fp-ts/lib/Either.js'
import { TidemarkError } from '../../../core/errors.ts'
import { setting, type SettingCodec, type SettingSpec, type SettingsOf } from '../../../core/setting.ts'
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
  textThat,
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

/** Certificates are no secrets, and anything else in their place may be one. */
const pemText = textThat('a text in PEM, which begins with -----BEGIN', (pem) => pem.startsWith('-----BEGIN '))

/** User and password are those of sasl.jaas.config, and fetch takes none in a URL. */
const tokenEndpoint = textThat('a URL of http or https, without user and password', (address) => {
  const url = URL.parse(address)
  return url !== null && /^https?:$/.test(url.protocol) && url.username === '' && url.password === ''
})

/** Room for the slot's number behind it: Kafka takes 249 characters. */
const instanceId = textThat('at most 240 letters, digits, dots, hyphens and underscores', (id) =>
  /^[\w.-]{1,240}$/.test(id),
)

function optional<A>(codec: SettingCodec<A>, meaning: string, example: string): SettingSpec<A | undefined> {
  return setting(codec, { optional: true, meaning, example })
}

function optionalSecret(meaning: string, example: string): SettingSpec<string | undefined> {
  return setting(text, { optional: true, secret: true, meaning, example })
}

/** As Java's clients spell them; `kafka.` may stand before each. */
const javaSettings = {
  'security.protocol': optional(
    protocol,
    'How brokers are reached: with or without TLS, with or without authentication.',
    'SASL_SSL',
  ),
  'sasl.mechanism': optional(mechanism, 'How this user authenticates.', 'SCRAM-SHA-512'),
  'sasl.jaas.config': optionalSecret(
    'User name and password as a Java login module takes them.',
    "org.apache.kafka.common.security.plain.PlainLoginModule required username='key' password='secret';",
  ),
  'sasl.oauthbearer.token.endpoint.url': optional(
    tokenEndpoint,
    'Where OAUTHBEARER tokens are fetched with clientId and clientSecret of sasl.jaas.config.',
    'https://login.example.com/oauth2/token',
  ),
  'ssl.truststore.location': optional(
    filePath,
    'File with the certificates of the authorities that are trusted (PEM); absent: those of the system.',
    '/etc/kafka/ca.pem',
  ),
  'ssl.truststore.certificates': optional(
    pemText,
    'The same certificates themselves (PEM).',
    '-----BEGIN CERTIFICATE----- …',
  ),
  'ssl.truststore.type': optional(storeType, 'Format of the truststore; only PEM.', 'PEM'),
  'ssl.truststore.password': optionalSecret('Not used: PEM files have none.', 'secret'),
  'ssl.keystore.location': optional(
    filePath,
    "File with this client's own key and certificate (PEM or PKCS12), for brokers that ask for one.",
    '/etc/kafka/client.p12',
  ),
  'ssl.keystore.type': optional(storeType, 'Format of the keystore: PEM or PKCS12.', 'PKCS12'),
  'ssl.keystore.password': optionalSecret('Password of a PKCS12 keystore.', 'secret'),
  'ssl.keystore.certificate.chain': optional(
    pemText,
    "This client's certificate itself (PEM).",
    '-----BEGIN CERTIFICATE----- …',
  ),
  'ssl.keystore.key': optionalSecret("This client's private key itself (PEM).", '-----BEGIN PRIVATE KEY----- …'),
  'ssl.key.password': optionalSecret('Password of the private key.', 'secret'),
  'ssl.endpoint.identification.algorithm': optional(
    endpointIdentification,
    "Whether the broker's host name must be that of its certificate.",
    'https',
  ),
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
  'kafka.bootstrap.servers': optional(
    hostPorts(9092),
    'Kafka brokers; absent: topics are in data.dir.',
    'localhost:9092',
  ),
  'kafka.client.id': setting(text, {
    default: 'tidemark',
    meaning: "Name of this program in the brokers' logs and quotas.",
    example: 'reconcile',
  }),
  'kafka.ssl': optional(flag, 'Reach brokers with TLS; security.protocol says the same.', 'true'),
  'kafka.sasl.username': optional(text, 'User name, where sasl.jaas.config is not used.', 'reconcile'),
  'kafka.sasl.password': optionalSecret('Password of that user.', 'secret'),
  'kafka.sasl.token': optionalSecret('A fixed OAUTHBEARER token.', 'eyJhbGciOi…'),
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
  'kafka.group.instance.id': optional(
    instanceId,
    'Name by which the consumer group knows this process again after a restart, with the number of its slot behind it; absent: a random one, kept in data.dir.',
    'reconcile-a',
  ),
  'kafka.session.timeout.ms': setting(durationMs({ minMs: 1000 }), {
    default: 15_000,
    meaning: 'A process without a heartbeat for so long is dead, and its tasks go to the others.',
    example: '15000',
  }),
  'kafka.heartbeat.interval.ms': optional(
    durationMs({ minMs: 50 }),
    'Time between heartbeats; absent: a tenth of the session timeout.',
    '1500',
  ),
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
  'kafka.transaction.timeout.ms': optional(
    durationMs({ minMs: 1000 }),
    'After so long the brokers abort a transaction; absent: what the checkpoint settings need.',
    '120000',
  ),
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

export function invalidSetting(key: string, message: string): TidemarkError {
  return new TidemarkError('invalid-setting', message, { details: { setting: key } })
}
