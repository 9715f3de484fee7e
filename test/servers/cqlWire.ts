import { connect as connectPlain, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { TidemarkError } from '../../src/core/errors.ts'

/**
 * As much of Cassandra's native protocol (version 4) as starting a server needs: is it up, and run these statements.
 * The client library belongs to the connector, and a start must not depend on the connector that it helps to test.
 */
export interface CqlTarget {
  readonly address: string
  readonly user?: { readonly name: string; readonly password: string }
  /** The certificate authority of a server that wants TLS, in PEM. */
  readonly caPem?: string
}

const opcode = { error: 0, startup: 1, authenticate: 3, query: 7, authResponse: 15 }
const headerBytes = 9
const requestVersion = 4
const consistencyOne = 1
const timeoutMs = 30_000
const maxFrameBytes = 16 * 1024 * 1024

interface Frame {
  readonly opcode: number
  readonly body: Buffer
}

/** Runs statements one after the other on one connection. Rejects with the server's reason and the statement. */
export async function runCql(target: CqlTarget, statements: readonly string[]): Promise<void> {
  const connection = new CqlConnection(target)
  try {
    await logIn(connection, target)
    for (const statement of statements) {
      const text = Buffer.from(statement, 'utf8')
      const body = Buffer.concat([int32(text.length), text, int16(consistencyOne), Buffer.from([0])])
      const answer = await connection.request(opcode.query, body)
      if (answer.opcode === opcode.error) throw refused(target, errorText(answer.body), statement)
    }
  } finally {
    connection.close()
  }
}

async function logIn(connection: CqlConnection, target: CqlTarget): Promise<void> {
  const startup = Buffer.concat([int16(1), string('CQL_VERSION'), string('3.0.0')])
  let answer = await connection.request(opcode.startup, startup)
  if (answer.opcode === opcode.authenticate) {
    const { name, password } = target.user ?? { name: '', password: '' }
    const token = Buffer.from(`\0${name}\0${password}`, 'utf8')
    answer = await connection.request(opcode.authResponse, Buffer.concat([int32(token.length), token]))
  }
  if (answer.opcode === opcode.error) throw refused(target, errorText(answer.body))
}

function refused({ address }: CqlTarget, reason: string, statement?: string): TidemarkError {
  const what = statement === undefined ? '' : `, in: ${statement}`
  return new TidemarkError('invalid-input', `Cassandra at ${address}: ${reason}${what}`)
}

/** One request at a time. */
class CqlConnection {
  readonly #socket: Socket
  readonly #address: string
  #received = Buffer.alloc(0)
  #broken: TidemarkError | undefined
  #waiting: { resolve(frame: Frame): void; reject(error: TidemarkError): void } | undefined

  constructor({ address, caPem }: CqlTarget) {
    this.#address = address
    const colon = address.lastIndexOf(':')
    const place = { host: address.slice(0, colon), port: Number(address.slice(colon + 1)) }
    this.#socket = caPem === undefined ? connectPlain(place) : connectTls({ ...place, ca: caPem })
    this.#socket.setTimeout(timeoutMs, () => {
      this.#fail(`no answer within ${String(timeoutMs / 1000)} s`)
    })
    this.#socket.on('error', (error) => {
      this.#fail(error.message)
    })
    this.#socket.on('close', () => {
      this.#fail('the connection was closed')
    })
    this.#socket.on('data', (data) => {
      this.#take(data)
    })
  }

  request(code: number, body: Buffer): Promise<Frame> {
    return new Promise((resolve, reject) => {
      if (this.#broken !== undefined) {
        reject(this.#broken)
        return
      }
      this.#waiting = { resolve, reject }
      this.#socket.write(Buffer.concat([Buffer.from([requestVersion, 0, 0, 0, code]), int32(body.length), body]))
    })
  }

  close(): void {
    this.#socket.destroy()
  }

  #take(data: Buffer): void {
    this.#received = Buffer.concat([this.#received, data])
    if (this.#received.length < headerBytes) return
    const length = this.#received.readInt32BE(5)
    if (this.#received[0] !== (requestVersion | 0x80) || length < 0 || length > maxFrameBytes) {
      this.#fail('what answers is not a Cassandra of protocol version 4')
      return
    }
    if (this.#received.length < headerBytes + length) return
    const frame = { opcode: this.#received[4] ?? 0, body: this.#received.subarray(headerBytes, headerBytes + length) }
    this.#received = this.#received.subarray(headerBytes + length)
    this.#waiting?.resolve(frame)
    this.#waiting = undefined
  }

  #fail(why: string): void {
    this.#broken ??= new TidemarkError('system-unreachable', `Cassandra at ${this.#address}: ${why}`)
    this.#waiting?.reject(this.#broken)
    this.#waiting = undefined
    this.#socket.destroy()
  }
}

function errorText(body: Buffer): string {
  return body.toString('utf8', 6, 6 + body.readUInt16BE(4))
}

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2)
  bytes.writeInt16BE(value)
  return bytes
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}

function string(text: string): Buffer {
  const bytes = Buffer.from(text, 'utf8')
  return Buffer.concat([int16(bytes.length), bytes])
}
