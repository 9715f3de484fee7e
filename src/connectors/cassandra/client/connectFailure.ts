import { TidemarkError, messageOf } from '../../../core/errors.ts'
import { outOfFilesWords } from '../../../core/outOfFiles.ts'
import { formatHostPort } from '../../../core/settingCodecs.ts'
import type { CassandraConfig } from '../config/cassandraConfig.ts'

interface Advice {
  readonly when: RegExp
  /** Whether TLS was used; absent: either. */
  readonly tls?: boolean
  readonly cause: string
  readonly fix: string
}

/** In order: the first that fits is told. Matched against everything that the error and those inside it say. */
const advices: readonly Advice[] = [
  {
    when: outOfFilesWords,
    cause: 'this process has as many files and sockets open as it may',
    fix: 'raise its limit (ulimit -n, LimitNOFILE of a service)',
  },
  {
    when: /no Cassandra but a server that wants TLS/i,
    cause: 'this port wants TLS',
    fix: 'set cassandra.tls=true and cassandra.tls.ca, or check cassandra.contact.points',
  },
  {
    when: /no Cassandra/i,
    cause: 'cassandra.contact.points names the port of something else',
    fix: 'set it to host and port of the native transport (9042 by default)',
  },
  {
    when: /requires authentication/i,
    cause: 'Cassandra asks for a user name and a password',
    fix: 'set cassandra.username and cassandra.password',
  },
  {
    when: /AuthenticationError|Provided username|credentials|Unauthorized/i,
    cause: 'user name or password are wrong',
    fix: 'check cassandra.username and cassandra.password',
  },
  {
    when: /localDataCenter was configured|Datacenter .* was not found/i,
    cause: 'there is no such datacenter',
    fix: 'set cassandra.local.datacenter to one of those named above',
  },
  {
    when: /self.signed certificate|unable to (?:get|verify)|UNABLE_TO_|certificate signed by/i,
    cause: "Cassandra's certificate is signed by an authority that is not trusted here",
    fix: 'name the PEM file of that authority in cassandra.tls.ca',
  },
  {
    when: /altnames|does not match certificate/i,
    cause: "Cassandra's certificate does not name the IP address that is connected to",
    fix: 'add the address to the certificate (subjectAltName), or, knowing the risk, set cassandra.tls.verify.hostname=false',
  },
  {
    when: /certificate has expired|CERT_HAS_EXPIRED|CERT_NOT_YET_VALID/i,
    cause: "Cassandra's certificate has expired or is not yet valid",
    fix: 'renew it, or correct the clock of this machine',
  },
  {
    when: /certificate required|bad certificate|handshake failure/i,
    tls: true,
    cause: 'Cassandra asks this client for a certificate and does not take what it showed',
    fix: 'set cassandra.tls.cert and cassandra.tls.key',
  },
  {
    when: /wrong version number|packet length too long|before secure TLS connection|EPROTO|ECONNRESET|ssl3_get_record/i,
    tls: true,
    cause: 'this port does not speak TLS',
    fix: 'remove the settings cassandra.tls…, or use the port with client encryption',
  },
  {
    when: /Socket was closed|ECONNRESET|did not reply|OperationTimedOut/i,
    tls: false,
    cause: 'something listens there and does not answer: a port that wants TLS, or no Cassandra at all',
    fix: 'set cassandra.tls=true and cassandra.tls.ca, or check cassandra.contact.points',
  },
  {
    when: /ENOTFOUND|EAI_AGAIN|No host could be resolved/i,
    cause: 'the host name is not known',
    fix: 'check cassandra.contact.points',
  },
  {
    when: /ECONNREFUSED/i,
    cause: 'nothing listens there',
    fix: 'check cassandra.contact.points, and that Cassandra runs',
  },
  {
    when: /timed out|timeout|no connection within|EHOSTUNREACH|ENETUNREACH|did not reply/i,
    cause: 'no answer came',
    fix: 'check cassandra.contact.points, the network and its firewalls, and that Cassandra runs',
  },
]

type Tried = Pick<CassandraConfig, 'contactPoints' | 'tls' | 'username' | 'localDatacenter'>

/** `system-unreachable` for a session that could not be opened, with the likely cause and what to do; never a secret. */
export function connectFailure(error: unknown, tried: Tried): TidemarkError {
  if (error instanceof TidemarkError) return error
  const causes = reasons(error)
  const said = causes.join(' ')
  const advice = advices.find(({ when, tls }) => when.test(said) && (tls === undefined || tls === tried.tls))
  const address = tried.contactPoints.map(formatHostPort).join(', ')
  const how = `${tried.tls ? 'with TLS' : 'without TLS'}, ${tried.username === undefined ? 'no user' : `user ${tried.username}`}, datacenter ${tried.localDatacenter}`
  const why = advice === undefined ? 'Check cassandra.contact.points' : `Probably ${advice.cause}: ${advice.fix}`
  return new TidemarkError(
    'system-unreachable',
    `Cassandra at ${address} cannot be used (${how}): ${(causes.at(-1) ?? messageOf(error)).trim().replaceAll(/\s+/g, ' ')}. ${why}`,
    { cause: error, details: { system: 'cassandra', address } },
  )
}

/** What an error and those inside it say, the innermost last. */
function reasons(error: unknown): readonly string[] {
  const said: string[] = []
  const seen = new Set<unknown>()
  const visit = (value: unknown): void => {
    if (typeof value === 'string') said.push(value)
    if (!(value instanceof Error) || seen.has(value)) return
    seen.add(value)
    const code = 'code' in value ? ` (${String(value.code)})` : ''
    said.push(`${value.name === 'Error' ? '' : `${value.name}: `}${value.message}${code}`)
    visit(value.cause)
    // The driver's NoHostAvailableError has one for each address, its connection errors the socket's.
    if ('innerErrors' in value && typeof value.innerErrors === 'object')
      Object.values(value.innerErrors ?? {}).map(visit)
    if ('innerError' in value) visit(value.innerError)
  }
  visit(error)
  return said
}
