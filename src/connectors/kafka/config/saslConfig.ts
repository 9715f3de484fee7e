import type { Clock } from '../../../core/ports/clock.ts'
import { parseJaasConfig, type JaasConfig } from './jaasConfig.ts'
import { invalidSetting, javaSetting, type KafkaSettings } from './kafkaSettings.ts'
import type { SaslOptions } from '../client/kafkajs.ts'
import { clientCredentialsToken, unsignedToken } from './oauthToken.ts'

/** How this process authenticates; null: not at all. Throws `invalid-setting` for settings that contradict each other. */
export function saslConfig(values: KafkaSettings, clock: Clock): SaslOptions | null {
  const protocol = javaSetting(values, 'security.protocol')
  const jaasText = javaSetting(values, 'sasl.jaas.config')
  const jaas = jaasText === undefined ? null : parseJaasConfig(jaasText)
  const username = values['kafka.sasl.username'] ?? jaas?.options.get('username')
  const password = values['kafka.sasl.password'] ?? jaas?.options.get('password')
  const named = javaSetting(values, 'sasl.mechanism')
  const wanted =
    named !== undefined || jaas !== null || username !== undefined || values['kafka.sasl.token'] !== undefined
  if (protocol !== undefined && !protocol.startsWith('SASL')) {
    if (!wanted) return null
    throw invalidSetting(
      'security.protocol',
      `security.protocol is ${protocol}, and SASL settings are given: set SASL_SSL or SASL_PLAINTEXT, or remove them`,
    )
  }
  if (!wanted) {
    if (protocol === undefined) return null
    throw invalidSetting(
      'sasl.mechanism',
      `security.protocol is ${protocol}, and no user is given: set sasl.mechanism and sasl.jaas.config, or kafka.sasl.username and kafka.sasl.password`,
    )
  }
  const mechanism = named ?? mechanismOf(jaas)
  if (mechanism === 'OAUTHBEARER')
    return { mechanism: 'oauthbearer', oauthBearerProvider: tokenProvider(values, jaas, clock) }
  if (username === undefined || password === undefined) {
    throw invalidSetting(
      'sasl.jaas.config',
      `${mechanism} needs a user name and a password: set sasl.jaas.config, or kafka.sasl.username and kafka.sasl.password`,
    )
  }
  return { mechanism: kafkajsNames[mechanism], username, password }
}

const kafkajsNames = { PLAIN: 'plain', 'SCRAM-SHA-256': 'scram-sha-256', 'SCRAM-SHA-512': 'scram-sha-512' } as const

/** Java takes GSSAPI when nothing is said; here the login module says it, where it can. */
function mechanismOf(jaas: JaasConfig | null): 'PLAIN' | 'OAUTHBEARER' {
  if (jaas === null || jaas.module === 'PlainLoginModule') return 'PLAIN'
  if (jaas.module === 'OAuthBearerLoginModule') return 'OAUTHBEARER'
  throw invalidSetting(
    'sasl.mechanism',
    // The class is not named: where the text is mixed up, the password may stand in its place.
    'sasl.mechanism is not set, and the login module of sasl.jaas.config does not tell it (PlainLoginModule and OAuthBearerLoginModule would): set it to SCRAM-SHA-256 or SCRAM-SHA-512',
  )
}

function tokenProvider(
  values: KafkaSettings,
  jaas: JaasConfig | null,
  clock: Clock,
): () => Promise<{ readonly value: string }> {
  const fixed = values['kafka.sasl.token']
  if (fixed !== undefined) return () => Promise.resolve({ value: fixed })
  const endpoint = javaSetting(values, 'sasl.oauthbearer.token.endpoint.url')
  const clientId = jaas?.options.get('clientId')
  const clientSecret = jaas?.options.get('clientSecret')
  if (endpoint !== undefined && clientId !== undefined && clientSecret !== undefined) {
    return clientCredentialsToken(
      { endpoint, clientId, clientSecret, scope: jaas?.options.get('scope') ?? null },
      clock,
    )
  }
  const subject = jaas?.options.get('unsecuredLoginStringClaim_sub')
  if (subject !== undefined) return () => Promise.resolve({ value: unsignedToken(subject, clock.now()) })
  throw invalidSetting(
    'sasl.jaas.config',
    'OAUTHBEARER needs a token: set sasl.oauthbearer.token.endpoint.url with clientId and clientSecret in sasl.jaas.config, or kafka.sasl.token',
  )
}
