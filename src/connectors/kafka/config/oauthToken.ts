import * as t from 'io-ts'
import { isRight } from 'fp-ts/lib/Either.js'
import type { Clock } from '../../../core/ports/clock.ts'
import { systemUnreachable } from '../client/kafkaErrors.ts'

export interface ClientCredentials {
  readonly endpoint: string
  readonly clientId: string
  readonly clientSecret: string
  readonly scope: string | null
}

const tokenResponse = t.intersection([t.type({ access_token: t.string }), t.partial({ expires_in: t.number })])

/** A token is fetched anew so long before it expires, and at least once in this time when nothing is said of an end. */
const renewBeforeMs = 30_000
const unknownLifeMs = 300_000
const fetchTimeoutMs = 10_000

/** Tokens by the client-credentials grant (RFC 6749, 4.4), one for all connections until it is about to expire. */
export function clientCredentialsToken(
  credentials: ClientCredentials,
  clock: Clock,
): () => Promise<{ readonly value: string }> {
  let current: Promise<Token> | null = null
  return async () => {
    const held = current === null ? null : await current.catch(() => null)
    if (held !== null && isFresh(held, clock)) return held
    current = fetchToken(credentials, clock)
    return current
  }
}

interface Token {
  readonly value: string
  /** When it expires, by both clocks: the monotonic one may stand while a machine sleeps, the other may be set back. */
  readonly untilMonotonicMs: number
  readonly untilMs: number
}

function isFresh({ untilMonotonicMs, untilMs }: Token, clock: Clock): boolean {
  return untilMonotonicMs - renewBeforeMs > clock.monotonicMs() && untilMs - renewBeforeMs > clock.now()
}

async function fetchToken(credentials: ClientCredentials, clock: Clock): Promise<Token> {
  const { endpoint, clientId, clientSecret, scope } = credentials
  const place = hostOf(endpoint)
  const body = new URLSearchParams({ grant_type: 'client_credentials', ...(scope === null ? {} : { scope }) })
  const basic = Buffer.from(`${encodeURIComponent(clientId)}:${encodeURIComponent(clientSecret)}`).toString('base64')
  try {
    const response = await fetch(endpoint, {
      method: 'POST',
      body,
      headers: { authorization: `Basic ${basic}`, accept: 'application/json' },
      signal: AbortSignal.timeout(fetchTimeoutMs),
    })
    if (!response.ok) throw new TokenRefused(`HTTP ${String(response.status)}`)
    const decoded = tokenResponse.decode(await response.json())
    if (!isRight(decoded)) throw new TokenRefused('the answer holds no access_token')
    const { access_token: value, expires_in: seconds } = decoded.right
    const lifeMs = seconds === undefined ? unknownLifeMs : seconds * 1000
    return { value, untilMonotonicMs: clock.monotonicMs() + lifeMs, untilMs: clock.now() + lifeMs }
  } catch (error) {
    // The answer may quote what was sent, and an error of fetch quotes the URL, so neither is told.
    throw systemUnreachable(`No OAUTHBEARER token came from ${place}: ${reasonOf(error)}`, { endpoint: place })
  }
}

/** With a reason that is ours. */
class TokenRefused extends Error {}

/** Neither userinfo nor query, and no path either, which some services keep a key in. */
function hostOf(endpoint: string): string {
  const url = URL.parse(endpoint)
  return url === null || url.host === '' ? 'sasl.oauthbearer.token.endpoint.url' : `${url.protocol}//${url.host}`
}

function reasonOf(error: unknown): string {
  if (error instanceof TokenRefused) return error.message
  if (error instanceof SyntaxError) return 'the answer is not JSON'
  const cause = error instanceof Error ? error.cause : undefined
  if (cause instanceof Error && 'code' in cause) return String(cause.code)
  if (error instanceof Error && error.name === 'TimeoutError') return `no answer in ${String(fetchTimeoutMs / 1000)} s`
  return 'the request could not be made'
}

const tokenLifeMs = 3_600_000

/** A token without a signature, which only brokers for tests take (Java: `unsecuredLoginStringClaim_sub`). */
export function unsignedToken(subject: string, nowMs: number): string {
  const part = (claims: object): string => Buffer.from(JSON.stringify(claims)).toString('base64url')
  const issued = Math.floor(nowMs / 1000)
  return `${part({ alg: 'none' })}.${part({ sub: subject, iat: issued, exp: issued + tokenLifeMs / 1000 })}.`
}
