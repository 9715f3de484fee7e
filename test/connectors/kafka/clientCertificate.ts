import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** A client's key and certificate, in the two forms that are read. */
export interface ClientCertificate {
  readonly pkcs12File: string
  readonly pemFile: string
  readonly password: string
}

/** Makes a client's certificate in a directory, signed by an authority or, without one, by itself. */
export function makeClientCertificate(
  directory: string,
  authority: { readonly caFile: string; readonly caKeyFile: string } | null,
): ClientCertificate {
  const password = 'client-1'
  const openssl = (...args: readonly string[]): void => {
    const { status, stderr } = spawnSync('openssl', args, { cwd: directory, encoding: 'utf8' })
    if (status !== 0) throw new Error(stderr)
  }
  writeFileSync(join(directory, 'client.cnf'), 'extendedKeyUsage = clientAuth\n')
  openssl(
    ...['req', '-newkey', 'rsa:2048', '-nodes', '-subj', '/CN=reconcile'],
    ...['-keyout', 'client.key', '-out', 'client.csr'],
  )
  const signedBy =
    authority === null
      ? ['-signkey', 'client.key']
      : ['-CA', authority.caFile, '-CAkey', authority.caKeyFile, '-CAcreateserial']
  openssl(
    ...['x509', '-req', '-in', 'client.csr', '-days', '2', '-extfile', 'client.cnf', '-out', 'client.pem'],
    ...signedBy,
  )
  openssl(
    ...['pkcs12', '-export', '-in', 'client.pem', '-inkey', 'client.key'],
    ...['-out', 'client.p12', '-passout', `pass:${password}`],
  )
  const pemFile = join(directory, 'both.pem')
  writeFileSync(
    pemFile,
    ['client.key', 'client.pem'].map((name) => readFileSync(join(directory, name), 'utf8')).join(''),
  )
  return { pkcs12File: join(directory, 'client.p12'), pemFile, password }
}
