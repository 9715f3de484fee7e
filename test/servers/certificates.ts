import { spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { messageOf, TidemarkError } from '../../src/core/errors.ts'

/** Paths of what a TLS server on this machine and its clients need. */
export interface Certificates {
  /** The authority, in PEM: what a client must trust. */
  readonly caFile: string
  /** Its key. */
  readonly caKeyFile: string
  readonly certificateFile: string
  readonly keyFile: string
  /** Certificate, key and authority as PKCS#12, for Java. */
  readonly keystoreFile: string
  readonly keystorePassword: string
}

const config = `
[req]
distinguished_name = name
prompt = no
[name]
CN = localhost
[authority]
basicConstraints = critical, CA:true
keyUsage = critical, keyCertSign
subjectKeyIdentifier = hash
[server]
basicConstraints = CA:false
subjectAltName = DNS:localhost, IP:127.0.0.1
extendedKeyUsage = serverAuth
`

/**
 * Makes an authority and a server certificate for `localhost` and `127.0.0.1`, good for 30 days, with openssl. Each call
 * makes another authority. For servers on loopback only: the keys lie beside the certificates, unencrypted.
 */
export function makeCertificates(directory: string): Certificates {
  mkdirSync(directory, { recursive: true })
  const file = (name: string): string => join(directory, name)
  writeFileSync(file('openssl.cnf'), config)
  const newKey = ['-newkey', 'rsa:2048', '-nodes', '-config', 'openssl.cnf']
  const keystorePassword = 'loopback-only'
  const run = (...args: readonly string[]): void => {
    openssl(directory, args)
  }
  run('req', '-x509', ...newKey, '-extensions', 'authority', '-keyout', 'ca.key', '-out', 'ca.pem', '-days', '30')
  run('req', ...newKey, '-keyout', 'server.key', '-out', 'server.csr')
  run(
    ...['x509', '-req', '-in', 'server.csr', '-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '30'],
    ...['-extfile', 'openssl.cnf', '-extensions', 'server', '-out', 'server.pem'],
  )
  run(
    ...['pkcs12', '-export', '-in', 'server.pem', '-inkey', 'server.key', '-certfile', 'ca.pem', '-name', 'server'],
    ...['-out', 'server.p12', '-passout', `pass:${keystorePassword}`],
  )
  return {
    caFile: file('ca.pem'),
    caKeyFile: file('ca.key'),
    certificateFile: file('server.pem'),
    keyFile: file('server.key'),
    keystoreFile: file('server.p12'),
    keystorePassword,
  }
}

function openssl(cwd: string, args: readonly string[]): void {
  const { status, error, stderr } = spawnSync('openssl', args, { cwd, encoding: 'utf8' })
  if (status === 0) return
  const why = error === undefined ? stderr.trim() : messageOf(error)
  throw new TidemarkError('server-not-started', `openssl ${args[0] ?? ''} failed: ${why}`)
}
