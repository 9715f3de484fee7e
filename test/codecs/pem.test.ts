import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { certificateFault, identityFault } from '../../src/codecs/pem.ts'
import { makePem, type PemTexts } from '../support/pemFiles.ts'

let directory: string
let pem: PemTexts

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'tidemark-pem-'))
  pem = makePem(directory)
})
afterAll(() => rmSync(directory, { recursive: true }))

/** One character of the middle line is another one. */
function damaged(text: string): string {
  const lines = text.split('\n')
  const middle = Math.floor(lines.length / 2)
  return lines
    .map((line, i) => (i === middle ? `${line.startsWith('A') ? 'B' : 'A'}${line.slice(3)}` : line))
    .join('\n')
}

describe('certificates', () => {
  test('that are whole have no fault, one or several, with words around them', () => {
    expect(certificateFault(pem.certificate)).toBeNull()
    expect(certificateFault(`# ours\n${pem.certificate}\n# theirs\n${pem.certificate}`)).toBeNull()
  })

  test('are told to be missing, cut, damaged, or something else', () => {
    const problemOf = (text: string): string | undefined => certificateFault(text)?.problem
    expect(problemOf('hunter2')).toBe('holds no whole certificate in PEM')
    expect(problemOf(pem.certificate.slice(0, -30))).toBe('holds no whole certificate in PEM')
    expect(problemOf(pem.key)).toBe('holds no whole certificate in PEM, but a private key')
    expect(problemOf(damaged(pem.certificate))).toBe('holds PEM whose certificate is damaged')
    expect(problemOf(pem.certificate + damaged(pem.certificate))).toBe('holds PEM whose certificate 2 of 2 is damaged')
  })
})

describe('a certificate and its key', () => {
  test('have no fault, locked or not', () => {
    expect(identityFault(pem.certificate, pem.key, undefined)).toBeNull()
    expect(identityFault(pem.certificate, pem.lockedKey, pem.password)).toBeNull()
    expect(identityFault(pem.key + pem.certificate, pem.key + pem.certificate, undefined)).toBeNull()
  })

  test('are told which part is at fault', () => {
    const faultOf = (...[cert, key, password]: Parameters<typeof identityFault>) => identityFault(cert, key, password)
    const { certificate, key, lockedKey, otherKey } = pem
    expect(faultOf(damaged(certificate), key, undefined)).toMatchObject({ part: 'certificate' })
    expect(faultOf(certificate, certificate, undefined)).toMatchObject({
      part: 'key',
      problem: 'holds no whole private key in PEM',
    })
    expect(faultOf(certificate, damaged(key), undefined)).toMatchObject({
      part: 'key',
      problem: expect.stringContaining('damaged'),
    })
    expect(faultOf(certificate, otherKey, undefined)).toMatchObject({
      part: 'key',
      problem: expect.stringContaining('not that of the certificate'),
    })
    expect(faultOf(certificate, lockedKey, undefined)).toMatchObject({
      part: 'password',
      problem: expect.stringContaining('needs a password'),
    })
    expect(faultOf(certificate, lockedKey, 'another')).toMatchObject({
      part: 'password',
      problem: expect.stringContaining('does not open'),
    })
  })
})
