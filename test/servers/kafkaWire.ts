import { connect } from 'node:net'
import { TidemarkError } from '../../src/core/errors.ts'

/**
 * As much of Kafka's protocol as starting a broker needs: is it up, and make these topics. Plain text only. The client
 * library belongs to the connector, and a start must not depend on the connector that it helps to test.
 */

/** A topic to make. */
export interface NewTopic {
  readonly name: string
  readonly partitions: number
  readonly config: Readonly<Record<string, string>>
}

const clientId = 'tidemark-services'
const metadata = { key: 3, version: 4 }
const createTopics = { key: 19, version: 4 }
const timeoutMs = 10_000
const maxResponseBytes = 16 * 1024 * 1024
const topicExists = 36

/** The ids of the brokers that this one knows to be alive; rejects while it does not answer. */
export async function liveBrokers(address: string): Promise<readonly number[]> {
  // No topics, and none made by asking.
  const answer = new Reader(await request(address, metadata, Buffer.concat([int32(0), int8(0)])))
  answer.int32()
  return answer.array(() => {
    const id = answer.int32()
    answer.string()
    answer.int32()
    answer.string()
    return id
  })
}

/**
 * Makes topics with the broker's default replication. Gives the names of those that were made; one that is there already
 * is left as it is. Rejects with the broker's reason when one is refused.
 */
export async function makeTopics(address: string, topics: readonly NewTopic[]): Promise<readonly string[]> {
  const body = [
    array(topics, ({ name, partitions, config }) =>
      Buffer.concat([
        string(name),
        int32(partitions),
        int16(-1),
        int32(0),
        array(Object.entries(config), ([key, value]) => Buffer.concat([string(key), string(value)])),
      ]),
    ),
    int32(timeoutMs),
    int8(0),
  ]
  const answer = new Reader(await request(address, createTopics, Buffer.concat(body)))
  answer.int32()
  const results = answer.array(() => ({ name: answer.string(), code: answer.int16(), reason: answer.string() }))
  const refused = results.filter(({ code }) => code !== 0 && code !== topicExists)
  if (refused.length > 0) {
    const reasons = refused.map(
      ({ name, code, reason }) => `${name}: ${reason === '' ? `code ${String(code)}` : reason}`,
    )
    throw new TidemarkError('invalid-input', `Kafka at ${address} refused topics: ${reasons.join('; ')}`)
  }
  return results.filter(({ code }) => code === 0).map(({ name }) => name)
}

function request(address: string, api: { key: number; version: number }, body: Buffer): Promise<Buffer> {
  const header = Buffer.concat([int16(api.key), int16(api.version), int32(1), string(clientId)])
  const colon = address.lastIndexOf(':')
  return new Promise((resolve, reject) => {
    const socket = connect({ host: address.slice(0, colon), port: Number(address.slice(colon + 1)) })
    const fail = (why: string): void => {
      socket.destroy()
      reject(new TidemarkError('system-unreachable', `Kafka at ${address}: ${why}`))
    }
    let received = Buffer.alloc(0)
    socket.setTimeout(timeoutMs, () => {
      fail(`no answer within ${String(timeoutMs / 1000)} s`)
    })
    socket.on('error', (error) => {
      fail(error.message)
    })
    socket.on('close', () => {
      fail('the connection was closed')
    })
    socket.on('data', (data) => {
      received = Buffer.concat([received, data])
      if (received.length < 4) return
      const length = received.readInt32BE(0)
      if (length < 4 || length > maxResponseBytes) fail('what answers is not a Kafka broker')
      else if (received.length >= 4 + length) {
        // After the length comes the correlation id; there is only one request a connection.
        resolve(received.subarray(8, 4 + length))
        socket.end()
      }
    })
    socket.write(Buffer.concat([int32(header.length + body.length), header, body]))
  })
}

class Reader {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  int16(): number {
    this.#at += 2
    return this.#bytes.readInt16BE(this.#at - 2)
  }

  int32(): number {
    this.#at += 4
    return this.#bytes.readInt32BE(this.#at - 4)
  }

  /** Empty when it is null. */
  string(): string {
    const length = Math.max(0, this.int16())
    this.#at += length
    return this.#bytes.toString('utf8', this.#at - length, this.#at)
  }

  array<T>(item: () => T): readonly T[] {
    const items: T[] = []
    for (let left = this.int32(); left > 0; left -= 1) items.push(item())
    return items
  }
}

function int8(value: number): Buffer {
  return Buffer.from([value])
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

function array<T>(items: readonly T[], encode: (item: T) => Buffer): Buffer {
  return Buffer.concat([int32(items.length), ...items.map(encode)])
}
