import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** A certificate with its key, and another key, as texts in PEM. */
export interface PemTexts {
  readonly certificate: string
  readonly key: string
  /** The same key behind `password`. */
  readonly lockedKey: string
  readonly password: string
  readonly otherKey: string
}

/** Made anew in a directory, because a certificate that was checked in would expire. */
export function makePem(directory: string): PemTexts {
  const password = 'opens-the-key'
  const openssl = (...args: readonly string[]): void => {
    const { status, stderr } = spawnSync('openssl', args, { cwd: directory, encoding: 'utf8' })
    if (status !== 0) throw new Error(stderr)
  }
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-subj', '/CN=tidemark']
  openssl('req', '-x509', ...newKey, '-days', '2', '-keyout', 'made.key', '-out', 'made.crt')
  openssl('req', '-x509', ...newKey, '-days', '2', '-keyout', 'other.key', '-out', 'other.crt')
  openssl('pkcs8', '-topk8', '-in', 'made.key', '-out', 'locked.key', '-passout', `pass:${password}`)
  const read = (name: string): string => readFileSync(join(directory, name), 'utf8')
  return {
    certificate: read('made.crt'),
    key: read('made.key'),
    lockedKey: read('locked.key'),
    password,
    otherKey: read('other.key'),
  }
}
