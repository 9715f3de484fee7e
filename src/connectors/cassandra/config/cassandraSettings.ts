import * as E from 'fp-ts/lib/Either.js'
import { setting } from '../../../core/setting.ts'
import { choice, durationMs, filePath, flag, hostPorts, integer, text, textCodec } from '../../../core/settingCodecs.ts'

/** Consistency levels that a read can have. */
export const consistencyNames = ['ONE', 'TWO', 'THREE', 'QUORUM', 'ALL', 'LOCAL_ONE', 'LOCAL_QUORUM'] as const

export type ConsistencyName = (typeof consistencyNames)[number]

/** A secret keeps the white space around it. */
const secretText = textCodec(
  'a text that is not empty',
  (input) => (input === '' ? E.left('a text that is not empty') : E.right(input)),
  (value) => value,
)

/** Where Cassandra is, and how it is spoken to. */
export const cassandraSettings = {
  'cassandra.contact.points': setting(hostPorts(9042), {
    optional: true,
    meaning: 'Cassandra nodes to connect to first; absent: tables are in data.dir.',
    example: 'localhost:9042',
  }),
  'cassandra.local.datacenter': setting(text, {
    optional: true,
    meaning: 'Cassandra datacenter whose nodes are used.',
    example: 'datacenter1',
  }),
  'cassandra.username': setting(text, {
    optional: true,
    meaning: 'User name for Cassandra; absent: no authentication.',
    example: 'reconcile',
  }),
  'cassandra.password': setting(secretText, {
    optional: true,
    secret: true,
    meaning: 'Password of cassandra.username.',
    example: 'secret',
  }),
  'cassandra.tls': setting(flag, {
    optional: true,
    meaning: 'TLS to Cassandra; absent: on when one of the files for it is set.',
    example: 'true',
  }),
  'cassandra.tls.ca': setting(filePath, {
    optional: true,
    meaning: "PEM file of the authority that signed Cassandra's certificate; absent: the authorities Node.js trusts.",
    example: '/etc/tidemark/ca.pem',
  }),
  'cassandra.tls.cert': setting(filePath, {
    optional: true,
    meaning: 'PEM file of the certificate that this client shows, where Cassandra asks for one.',
    example: '/etc/tidemark/client.pem',
  }),
  'cassandra.tls.key': setting(filePath, {
    optional: true,
    meaning: 'PEM file of the private key of cassandra.tls.cert.',
    example: '/etc/tidemark/client.key',
  }),
  'cassandra.tls.key.password': setting(secretText, {
    optional: true,
    secret: true,
    meaning: 'Password of the file cassandra.tls.key, where it has one.',
    example: 'secret',
  }),
  'cassandra.tls.verify.hostname': setting(flag, {
    default: true,
    meaning: "Whether Cassandra's certificate must name the address that is connected to, by IP address.",
    example: 'false',
  }),
  'cassandra.connect.timeout.ms': setting(durationMs({ minMs: 1 }), {
    default: 5_000,
    meaning: 'Longest time to open a connection to one node; the start as a whole takes at most 15 s.',
    example: '5000',
  }),
  'cassandra.request.timeout.ms': setting(durationMs({ minMs: 1 }), {
    default: 2_000,
    meaning:
      'Longest wait for the answer of a node; keep it below the timeout of the lookups, so that they can be retried.',
    example: '2000',
  }),
  'cassandra.reconnect.delay.ms': setting(durationMs({ minMs: 1 }), {
    default: 1_000,
    meaning: 'Time until a lost node is tried again; doubles with each try that fails.',
    example: '1000',
  }),
  'cassandra.reconnect.max.delay.ms': setting(durationMs({ minMs: 1 }), {
    default: 10_000,
    meaning: 'Longest time between two tries to reach a lost node.',
    example: '10000',
  }),
  'cassandra.consistency': setting(choice(consistencyNames), {
    default: 'LOCAL_QUORUM',
    meaning:
      'How many replicas must agree on a row; with LOCAL_ONE a replica that missed a write makes a row look missing.',
    example: 'LOCAL_ONE',
  }),
  'cassandra.execution.profile': setting(text, {
    default: 'default',
    meaning: 'Profile of cassandra.driver.settings.file that the reads use.',
    example: 'reads',
  }),
  'cassandra.driver.settings.file': setting(filePath, {
    optional: true,
    meaning: 'JSON file with options of cassandra-driver beyond these settings; docs/cassandra.md lists them.',
    example: '/etc/tidemark/cassandra-driver.json',
  }),
  'cassandra.max.in.flight': setting(integer({ min: 1, max: 2_048 }), {
    default: 256,
    meaning: 'Requests to Cassandra that one process has under way; others wait.',
    example: '128',
  }),
  'cassandra.max.tables': setting(integer({ min: 1, max: 10_000 }), {
    default: 200,
    meaning: 'Tables whose prepared statements are kept, the least recently used going first.',
    example: '200',
  }),
} as const
