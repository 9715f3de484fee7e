import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect, createServer, type Server } from 'node:tls'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { makeCertificates, type Certificates } from './certificates.ts'

let directory = ''
let made: Certificates
let other: Certificates
let server: Server
let port = 0

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'tidemark-tls-'))
  made = makeCertificates(join(directory, 'one'))
  other = makeCertificates(join(directory, 'two'))
  server = createServer({ pfx: readFileSync(made.keystoreFile), passphrase: made.keystorePassword })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  port = typeof address === 'object' && address !== null ? address.port : 0
})

afterAll(() => {
  server.close()
  rmSync(directory, { recursive: true, force: true })
})

function reach(host: string, caFile: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, ca: readFileSync(caFile) }, () => {
      socket.destroy()
      resolve('trusted')
    })
    socket.once('error', (error: NodeJS.ErrnoException) => {
      resolve(error.code ?? error.message)
    })
  })
}

describe('the certificates of a server on loopback', () => {
  it.each(['127.0.0.1', 'localhost'])('are good for %s to who trusts their authority', async (host) => {
    expect(await reach(host, made.caFile)).toBe('trusted')
  })

  it('are refused by who trusts another authority', async () => {
    expect(await reach('127.0.0.1', other.caFile)).toMatch(/UNABLE_TO_VERIFY_LEAF_SIGNATURE|SELF_SIGNED|CERT_SIGNATURE/)
  })
})
