import { readFileSync } from 'node:fs'
import { createSecureContext, type ConnectionOptions } from 'node:tls'
import { certificateFault, identityFault, type PemFault } from '../../../codecs/pem.ts'
import { messageOf } from '../../../core/errors.ts'
import { unreadableFile } from '../../../core/settingFile.ts'
import { invalidSetting, javaSetting, type KafkaSettings } from './kafkaSettings.ts'

const pemMark = '-----BEGIN '

/** First bytes of JKS and JCEKS. */
const javaMagics: ReadonlySet<number> = new Set([0xfeedfeed, 0xcececece])

/** TLS towards brokers; null: plain text. Reads the files that the settings name. Throws `invalid-setting`. */
export function tlsConfig(values: KafkaSettings): ConnectionOptions | null {
  const protocol = javaSetting(values, 'security.protocol')
  const flag = values['kafka.ssl']
  const wanted = protocol === undefined ? (flag ?? false) : protocol.endsWith('SSL')
  if (protocol !== undefined && flag !== undefined && flag !== wanted) {
    throw invalidSetting(
      'kafka.ssl',
      `kafka.ssl is ${String(flag)}, and security.protocol is ${protocol}: they contradict each other; set one of them`,
    )
  }
  if (!wanted) return null
  const ca = trusted(values)
  const anyHost = javaSetting(values, 'ssl.endpoint.identification.algorithm') === 'none'
  return {
    ...(ca === null ? {} : { ca }),
    ...ownIdentity(values),
    ...(anyHost ? { checkServerIdentity: () => undefined } : {}),
  }
}

function trusted(values: KafkaSettings): string | null {
  const given = javaSetting(values, 'ssl.truststore.certificates')
  if (given !== undefined)
    return checked('ssl.truststore.certificates', 'it', pem('ssl.truststore.certificates', given))
  const location = javaSetting(values, 'ssl.truststore.location')
  if (location === undefined) return null
  const text = readFile('ssl.truststore.location', location).toString('latin1')
  if (text.includes(pemMark)) return checked('ssl.truststore.location', location, text)
  throw invalidSetting(
    'ssl.truststore.location',
    `${location} is no PEM file, and Java's own formats are not read. Convert it: keytool -exportcert -rfc -keystore ${location} -alias <alias> > ca.pem, and set ssl.truststore.type=PEM`,
  )
}

/** This client's own key and certificate, for brokers that ask for one. */
function ownIdentity(values: KafkaSettings): ConnectionOptions {
  const password = javaSetting(values, 'ssl.key.password')
  const passphrase = password === undefined ? {} : { passphrase: password }
  const cert = javaSetting(values, 'ssl.keystore.certificate.chain')
  const key = javaSetting(values, 'ssl.keystore.key')
  if (cert !== undefined && key !== undefined) {
    const given = { cert: pem('ssl.keystore.certificate.chain', cert), key: pem('ssl.keystore.key', key) }
    refuse(identityFault(given.cert, given.key, password), 'it', 'ssl.keystore.certificate.chain', 'ssl.keystore.key')
    return { ...given, ...passphrase }
  }
  const location = javaSetting(values, 'ssl.keystore.location')
  if (location === undefined) return {}
  const file = readFile('ssl.keystore.location', location)
  // A PEM keystore holds both.
  if (file.includes(pemMark)) {
    const text = file.toString('latin1')
    refuse(identityFault(text, text, password), location, 'ssl.keystore.location')
    return { cert: file, key: file, ...passphrase }
  }
  if (javaSetting(values, 'ssl.keystore.type') === 'PEM') {
    throw invalidSetting('ssl.keystore.type', `ssl.keystore.type is PEM, and ${location} holds no PEM text`)
  }
  const convert = `keytool -importkeystore -srckeystore ${location} -destkeystore client.p12 -deststoretype PKCS12`
  // Java itself goes by what a keystore holds, not by its name: since Java 9 a client.jks is often PKCS12.
  if (file.length >= 4 && javaMagics.has(file.readUInt32BE(0))) {
    const message = `${location} is a Java keystore, which is not read. Convert it: ${convert}`
    throw invalidSetting('ssl.keystore.location', `${message}, and set ssl.keystore.location to client.p12`)
  }
  const store = javaSetting(values, 'ssl.keystore.password') ?? password
  const identity = { pfx: file, ...(store === undefined ? {} : { passphrase: store }) }
  try {
    createSecureContext(identity)
  } catch (error) {
    throw invalidSetting(
      'ssl.keystore.password',
      `${location} cannot be opened as PKCS12: ${messageOf(error)}. Check ssl.keystore.password; a file in an old format is written anew by: ${convert}`,
    )
  }
  return identity
}

function checked(setting: string, place: string, certificates: string): string {
  refuse(certificateFault(certificates), place, setting)
  return certificates
}

/** TLS would pass over a certificate that it cannot read, and fail at the first connection for want of it. */
function refuse(fault: PemFault | null, place: string, certificate: string, key = certificate): void {
  if (fault === null) return
  const { part, problem } = fault
  const setting = part === 'certificate' ? certificate : key
  const said = `${setting}: ${place} ${problem}`
  if (part === 'password') throw invalidSetting('ssl.key.password', `${said}: check ssl.key.password`)
  const what = part === 'key' ? '-----BEGIN PRIVATE KEY-----' : '-----BEGIN CERTIFICATE-----'
  throw invalidSetting(setting, `${said}. It needs a text from ${what} to its END line, whole`)
}

/** In a properties file line ends are often written as spaces, or as \n. */
function pem(setting: string, text: string): string {
  if (!text.includes(pemMark))
    throw invalidSetting(
      setting,
      `${setting} is no PEM text: it begins with ${pemMark}…. A path goes into the setting that ends in location`,
    )
  return text.replaceAll(/-----BEGIN ([A-Z ]+)-----([\s\S]*?)-----END \1-----/g, (_, kind: string, body: string) => {
    const lines = body.replaceAll('\\n', '\n').trim().split(/\s+/)
    return `-----BEGIN ${kind}-----\n${lines.join('\n')}\n-----END ${kind}-----\n`
  })
}

function readFile(setting: string, path: string): Buffer {
  try {
    return readFileSync(path)
  } catch (error) {
    throw unreadableFile(setting, path, {
      error,
      example: setting.includes('truststore') ? '/etc/kafka/ca.pem' : '/etc/kafka/client.p12',
    })
  }
}
