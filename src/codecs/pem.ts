import { createPrivateKey, X509Certificate } from 'node:crypto'

/** What is wrong with a text in PEM, and with which part of it; never the text itself. */
export interface PemFault {
  readonly part: 'certificate' | 'key' | 'password'
  /** Ends a sentence that begins with the file: `holds no certificate`. */
  readonly problem: string
}

const certificates = /-----BEGIN ((?:X509 |TRUSTED )?CERTIFICATE)-----[\s\S]*?-----END \1-----/g

const keys = /-----BEGIN ((?:[A-Z]+ )?PRIVATE KEY)-----[\s\S]*?-----END \1-----/g

/** Null for a text with at least one certificate, all of them sound. TLS itself passes over those that are not. */
export function certificateFault(pem: string): PemFault | null {
  const found = pem.match(certificates) ?? []
  if (found.length === 0) {
    const instead = pem.match(keys) === null ? '' : ', but a private key'
    return { part: 'certificate', problem: `holds no whole certificate in PEM${instead}` }
  }
  const damaged = found.findIndex((block) => readCertificate(block) === null)
  if (damaged === -1) return null
  const which =
    found.length === 1 ? 'whose certificate' : `whose certificate ${String(damaged + 1)} of ${String(found.length)}`
  return { part: 'certificate', problem: `holds PEM ${which} is damaged` }
}

/** Null for a certificate and its private key; the passphrase is for the key. */
export function identityFault(cert: string, key: string, passphrase: string | undefined): PemFault | null {
  const fault = certificateFault(cert)
  if (fault !== null) return fault
  const [block] = key.match(keys) ?? []
  if (block === undefined) return { part: 'key', problem: 'holds no whole private key in PEM' }
  const isEncrypted = /ENCRYPTED/.test(block)
  if (isEncrypted && passphrase === undefined) {
    return { part: 'password', problem: 'holds a private key that needs a password' }
  }
  try {
    const opened = createPrivateKey({ key: block, ...(passphrase === undefined ? {} : { passphrase }) })
    const own = readCertificate(cert.match(certificates)?.[0] ?? '')
    if (own?.checkPrivateKey(opened) === true) return null
    return { part: 'key', problem: 'holds a private key that is not that of the certificate' }
  } catch {
    return isEncrypted
      ? { part: 'password', problem: 'holds a private key that the password does not open' }
      : { part: 'key', problem: 'holds a private key that is damaged, or in a format that cannot be read' }
  }
}

function readCertificate(block: string): X509Certificate | null {
  try {
    return new X509Certificate(block)
  } catch {
    return null
  }
}
