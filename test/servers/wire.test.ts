import { createServer, type Server } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { runCql } from './cqlWire.ts'
import { freePorts } from './freePorts.ts'
import { liveBrokers } from './kafkaWire.ts'

let server: Server | undefined

afterEach(() => {
  server?.close()
  server = undefined
})

/** A server that answers the first bytes of every connection with these, and then ends it or not. */
async function answering(bytes: Buffer | string, end: boolean): Promise<string> {
  const [port = 0] = await freePorts(1)
  server = createServer((socket) => {
    socket.once('data', () => {
      socket.write(bytes)
      if (end) socket.end()
    })
  })
  await new Promise<void>((resolve) => server?.listen(port, '127.0.0.1', resolve))
  return `127.0.0.1:${String(port)}`
}

const http = 'HTTP/1.1 400 Bad Request\r\n\r\n'

describe('a question to Kafka', () => {
  it('fails with the address when nothing listens', async () => {
    const [port = 0] = await freePorts(1)
    await expect(liveBrokers(`127.0.0.1:${String(port)}`)).rejects.toThrow(`Kafka at 127.0.0.1:${String(port)}: `)
  })

  it('fails when something else answers', async () => {
    await expect(liveBrokers(await answering(http, false))).rejects.toThrow('what answers is not a Kafka broker')
  })

  it('fails when the connection is closed instead', async () => {
    await expect(liveBrokers(await answering('', true))).rejects.toThrow('the connection was closed')
  })

  it('takes an answer that comes in pieces', async () => {
    const name = Buffer.from('\0\tlocalhost')
    const broker = Buffer.concat([Buffer.from([0, 0, 0, 7]), name, Buffer.from([0, 0, 35, 132, 255, 255])])
    const body = Buffer.concat([Buffer.from([0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1]), broker])
    const bytes = Buffer.concat([Buffer.from([0, 0, 0, body.length]), body])
    const [port = 0] = await freePorts(1)
    server = createServer((socket) => {
      socket.setNoDelay(true)
      socket.once('data', () => {
        for (const byte of bytes) socket.write(Buffer.from([byte]))
      })
    })
    await new Promise<void>((resolve) => server?.listen(port, '127.0.0.1', resolve))
    expect(await liveBrokers(`127.0.0.1:${String(port)}`)).toEqual([7])
  })
})

describe('a statement for Cassandra', () => {
  it('fails when something else answers', async () => {
    const address = await answering(http, false)
    await expect(runCql({ address }, ['SELECT 1'])).rejects.toThrow('is not a Cassandra of protocol version 4')
  })

  it('fails with the reason of the server', async () => {
    const reason = 'Invalid or unsupported protocol version'
    const body = Buffer.concat([Buffer.from([0, 0, 0, 10, 0, reason.length]), Buffer.from(reason)])
    const address = await answering(Buffer.concat([Buffer.from([0x84, 0, 0, 0, 0, 0, 0, 0, body.length]), body]), false)
    await expect(runCql({ address }, ['SELECT 1'])).rejects.toThrow(`Cassandra at ${address}: ${reason}`)
  })

  it('fails when the connection is closed instead', async () => {
    const address = await answering('', true)
    await expect(runCql({ address }, ['SELECT 1'])).rejects.toThrow('the connection was closed')
  })
})
