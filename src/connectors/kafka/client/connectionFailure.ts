import { TidemarkError, messageOf } from '../../../core/errors.ts'
import { outOfFilesWords } from '../../../core/outOfFiles.ts'

/** What was tried, without any secret. */
export interface TriedConnection {
  readonly address: string
  readonly tls: boolean
  /** The SASL mechanism; null: no authentication. */
  readonly mechanism: string | null
}

interface Advice {
  readonly when: RegExp
  readonly tls?: boolean
  readonly authenticates?: boolean
  readonly cause: string
  readonly fix: string
}

/** In order: the first that fits is told. Matched against everything that the error and its causes say. */
const advices: readonly Advice[] = [
  {
    when: outOfFilesWords,
    cause: 'this process has as many files and sockets open as it may',
    fix: 'raise its limit (ulimit -n, LimitNOFILE of a service)',
  },
  {
    when: /no Kafka broker but a server that wants TLS/i,
    cause: 'this is the port of a listener that speaks TLS',
    fix: 'set security.protocol to SSL or SASL_SSL, or use another port',
  },
  {
    when: /no Kafka broker|ERR_OUT_OF_RANGE|ERR_BUFFER_OUT_OF_BOUNDS/i,
    cause: 'kafka.bootstrap.servers names the port of something else',
    fix: "set it to host and port of the brokers' listener (9092 by default)",
  },
  {
    when: /SASL.*mechanism is not supported|UNSUPPORTED_SASL_MECHANISM/i,
    cause: 'the broker does not offer this SASL mechanism',
    fix: 'set sasl.mechanism to one that the listener has enabled (sasl.enabled.mechanisms)',
  },
  {
    when: /SASLAuthentication|SASL_AUTHENTICATION_FAILED|Authentication failed|credentials|SCRAM/i,
    cause: 'user name or password are wrong, or the user does not exist for this mechanism',
    fix: 'check sasl.jaas.config (or kafka.sasl.username and kafka.sasl.password)',
  },
  {
    when: /ILLEGAL_SASL_STATE|not valid given the current SASL state/i,
    cause: 'this port does not authenticate',
    fix: 'use the port of a SASL listener, or set security.protocol to PLAINTEXT or SSL',
  },
  {
    when: /alert (certificate required|bad certificate|unknown ca|certificate unknown)/i,
    cause: 'the broker wants a certificate of this client, and got none or one that it does not trust',
    fix: "name this client's own key and certificate in ssl.keystore.location (ssl.keystore.type=PKCS12 or PEM), signed by an authority that the broker trusts",
  },
  {
    when: /self.signed certificate|unable to (get|verify)|UNABLE_TO_|unknown ca|certificate signed by/i,
    cause: "the broker's certificate is signed by an authority that is not trusted here",
    fix: 'name the certificate of that authority in ssl.truststore.location (PEM, with ssl.truststore.type=PEM)',
  },
  {
    when: /altnames|Hostname\/IP does not match/i,
    cause: "the broker's certificate is for another host name",
    fix: 'use the name that stands in the certificate, or, knowing the risk, set ssl.endpoint.identification.algorithm to empty',
  },
  {
    when: /certificate has expired|CERT_HAS_EXPIRED|CERT_NOT_YET_VALID/i,
    cause: "the broker's certificate has expired or is not yet valid",
    fix: 'renew it, or correct the clock of this machine',
  },
  {
    when: /wrong version number|packet length too long|before secure TLS connection|EPROTO|ECONNRESET|socket hang up|Closed connection|Connection closed/i,
    tls: true,
    cause: 'this port does not speak TLS',
    fix: 'use the port of an SSL listener, or set security.protocol to PLAINTEXT or SASL_PLAINTEXT',
  },
  {
    when: /ECONNRESET|Closed connection|Connection closed|timed out|timeout/i,
    tls: false,
    authenticates: false,
    cause: 'something listens there and does not answer: a port that wants TLS or authentication, or no Kafka at all',
    fix: 'set security.protocol to what the listener speaks (SSL, SASL_SSL or SASL_PLAINTEXT), or use another port',
  },
  {
    when: /ECONNRESET|Closed connection|Connection closed|timed out|timeout/i,
    tls: false,
    cause: 'something listens there and does not answer: a port that wants TLS, or no Kafka at all',
    fix: 'set security.protocol to SASL_SSL, or use another port',
  },
  {
    when: /ENOTFOUND|EAI_AGAIN/i,
    cause: 'the host name is not known',
    fix: 'check kafka.bootstrap.servers, and what the brokers advertise (advertised.listeners)',
  },
  {
    when: /ECONNREFUSED/i,
    cause: 'nothing listens there',
    fix: 'check kafka.bootstrap.servers, and that the broker runs',
  },
  {
    when: /timed out|timeout|EHOSTUNREACH|ENETUNREACH/i,
    cause: 'no answer came',
    fix: 'check kafka.bootstrap.servers, the network and its firewalls, and that the broker runs',
  },
]

/** `system-unreachable` for a connection that could not be made, with the likely cause and what to do. */
export function connectionFailure(error: unknown, tried: TriedConnection): TidemarkError {
  if (error instanceof TidemarkError) return error
  const said = everythingSaid(error)
  const advice = advices.find(
    ({ when, tls, authenticates }) =>
      when.test(said) &&
      (tls === undefined || tls === tried.tls) &&
      (authenticates === undefined || authenticates === (tried.mechanism !== null)),
  )
  const how = `${tried.tls ? 'with TLS' : 'without TLS'}${tried.mechanism === null ? '' : `, ${tried.mechanism}`}`
  const why = advice === undefined ? 'check kafka.bootstrap.servers' : `${advice.cause}: ${advice.fix}`
  return new TidemarkError(
    'system-unreachable',
    `Kafka at ${tried.address} cannot be used (${how}): ${reasonOf(error)}. Probably ${why}`,
    { cause: error, details: { system: 'kafka', address: tried.address } },
  )
}

/** An answer that is no broker's is read beyond its end. */
function reasonOf(error: unknown): string {
  return error instanceof RangeError ? 'its answer cannot be read' : messageOf(error)
}

function everythingSaid(error: unknown): string {
  const said: string[] = []
  const seen = new Set<unknown>()
  for (let next = error; next instanceof Error && !seen.has(next); next = next.cause) {
    seen.add(next)
    const code = 'code' in next ? String(next.code) : ''
    const type = 'type' in next ? String(next.type) : ''
    said.push(next.name, next.message, code, type)
  }
  return said.join(' ')
}
