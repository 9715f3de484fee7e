import { once } from 'node:events'
import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { dataDirectory } from '../../../src/connectors/embedded/shared/holder.ts'
import type { EmbeddedStore } from '../../../src/connectors/embedded/store/embeddedStore.ts'
import { refuseHeld, holdForJob, type HeldDirectory } from '../../../src/connectors/embedded/shared/heldDirectory.ts'
import type { RecordPage, TopicPageRequest } from '../../../src/core/ports/topics.ts'
import { storeCalls } from '../../../src/connectors/embedded/shared/storeCalls.ts'
import type { RowPage } from '../../../src/core/ports/tables.ts'
import { HolderBusy, StoreClient } from '../../../src/connectors/embedded/shared/storeClient.ts'
import { withStore } from '../../../src/connectors/embedded/shared/withStore.ts'
import { fromWireRecord } from '../../../src/connectors/embedded/shared/wireCodecs.ts'
import { maxSocketConnections, transferTimeoutMs } from '../../../src/connectors/embedded/shared/wireLimits.ts'
import { systemClock, type Clock } from '../../../src/core/ports/clock.ts'
import { StreamRecord } from '../../../src/core/record.ts'
import { ManualClock } from '../../../src/testing/world/manualClock.ts'
import { failure } from '../../support/memoryJob.ts'
import { temporaryDirectory } from './temporaryDirectory.ts'

const megabyte = 1024 * 1024
/** Of 60 MB V8 would make gigabytes. */
const emptyArrays = (megabytes: number): string => `[${'[],'.repeat((megabytes * megabyte) / 3)}[]]`

interface RawConnection {
  readonly socket: Socket
  readonly closed: Promise<void>
}

const oneRecord = { topic: 't', partition: 0, key: null, value: null, headers: [], timestamp: 1 }
const onePage = JSON.stringify({ topic: 't', partition: 0, from: 0, limit: 1 })
/** On which 15 s are over in 150 ms. */
const hasty: Clock = { ...systemClock, monotonicMs: () => systemClock.monotonicMs() * 100 }
const twoRows = [{ id: 1 }, { id: 2 }]

let directory: Awaited<ReturnType<typeof temporaryDirectory>>

beforeEach(async () => {
  directory = await temporaryDirectory()
})
afterEach(async () => {
  await directory.remove()
})

describe('a holder of a directory', () => {
  let clock: ManualClock
  let held: HeldDirectory
  let data: string
  let socket: string
  let client: StoreClient
  const opened: Socket[] = []

  beforeEach(async () => {
    data = join(directory.path, 'data')
    clock = new ManualClock()
    held = await holdForJob(data, 'reconcile', { clock })
    await held.serve()
    socket = dataDirectory(data).socket
    client = new StoreClient(socket, systemClock)
  })
  afterEach(async () => {
    vi.restoreAllMocks()
    for (const each of opened.splice(0)) each.destroy()
    await held.close()
  })

  const post = (path: string, body: string | Buffer): Promise<{ status: number; text: string }> =>
    new Promise((resolve, reject) => {
      const sent = httpRequest({ socketPath: socket, path, method: 'POST', agent: false }, (response) => {
        let text = ''
        response.setEncoding('utf8')
        response.on('data', (part: string) => (text += part))
        response.on('end', () => {
          resolve({ status: response.statusCode ?? 0, text })
        })
      })
      sent.on('error', reject)
      sent.end(body)
    })

  async function raw(text = ''): Promise<RawConnection> {
    const connection = connect(socket)
    opened.push(connection)
    connection.on('error', () => undefined)
    const closed = new Promise<void>((resolve) => {
      connection.on('close', () => {
        resolve()
      })
    })
    await once(connection, 'connect')
    connection.write(text)
    return { socket: connection, closed }
  }

  const isAlive = async (): Promise<void> => {
    expect(await client.listTopics()).toEqual([])
  }

  test('counts what a request holds before it makes anything of it', async () => {
    const many = emptyArrays(4)
    for (const [path, body] of [
      ['/append', emptyArrays(60)],
      ['/loadRows', JSON.stringify({ definition: '{}', rows: [many] })],
      ['/loadRows', JSON.stringify({ definition: '{}', rows: Array.from({ length: 4 }, () => emptyArrays(1)) })],
      ['/getRow', JSON.stringify({ request: `{"pk":${many}}` })],
    ] as const) {
      const { status, text } = await post(path, body)
      expect(status).toBe(400)
      expect(text).toContain('holds more than 1000000 values')
    }
    await isAlive()
  })

  test('refuses nesting before it makes anything of it', async () => {
    const { status, text } = await post('/append', '['.repeat(2 * megabyte))
    expect(status).toBe(400)
    expect(text).toContain('nested deeper than 32 levels')
    await isAlive()
  })

  test('of a million wrong elements it names one', async () => {
    const { status, text } = await post('/append', `[${'0,'.repeat(990_000)}0]`)
    expect(status).toBe(400)
    expect(text.length).toBeLessThan(1_000)
    await isAlive()
  })

  // 1e9 ended the process by std::bad_alloc, and 1e300 was answered with an end of the table.
  test('gives so many rows and no more, whatever is asked for', async () => {
    await held.store.loadTable({
      keyspace: 'shop',
      table: 'users',
      columns: { id: 'int' },
      primaryKey: [['id'], []],
      rows: twoRows,
    })
    const ask = (limit: number): ReturnType<typeof post> =>
      post('/readTable', `{"keyspace":"shop","table":"users","after":null,"limit":${String(limit)}}`)
    const { text } = await ask(1e9)
    expect(JSON.parse(text)).toMatchObject({ rows: ['{"id":1}', '{"id":2}'] })
    for (const limit of [1e300, 1.5, 0, -1]) {
      const answer = await ask(limit)
      expect(answer.status).toBe(400)
      expect(JSON.parse(answer.text)).toMatchObject({
        code: 'invalid-argument',
        message: expect.stringContaining('limit: expected a whole number from 1'),
        retriable: false,
      })
    }
    const own = failure(held.store.readTable('shop', 'users', { after: null, limit: 1.5 }))
    expect(await own).toMatchObject({ code: 'invalid-argument', message: expect.stringContaining('limit') })
  })

  // A limit of 0 gave empty pages for ever, one of 0.5 passed over records, and a job that read a time of 1.5 stopped.
  test('refuses numbers that no page and no record can have, and so does the store', async () => {
    const page = { topic: 't', partition: 0, from: 0, limit: 1 }
    await held.store.append([oneRecord])
    for (const odd of [-2, 0.5, 1e300]) {
      const named = { code: 'invalid-argument', message: expect.stringContaining('whole number'), retriable: false }
      for (const field of ['from', 'limit', 'maxBytes', 'partition']) {
        const { status, text } = await post('/readPage', JSON.stringify({ ...page, [field]: odd }))
        expect({ status, ...JSON.parse(text) }).toMatchObject({ status: 400, ...named })
        const own = await failure(held.store.readPage({ ...page, [field]: odd }))
        expect(own).toMatchObject({ code: 'invalid-argument' })
      }
      for (const field of ['timestamp', 'partition']) {
        const { status, text } = await post('/append', JSON.stringify([{ ...oneRecord, [field]: odd }]))
        expect({ status, ...JSON.parse(text) }).toMatchObject({ status: 400, ...named })
        const own = await failure(held.store.append([{ ...oneRecord, [field]: odd }]))
        expect(own).toMatchObject({ code: 'invalid-argument' })
      }
      for (const field of ['partitions', 'maxMessageBytes']) {
        const { status, text } = await post('/createTopic', JSON.stringify({ name: 'u', options: { [field]: odd } }))
        expect({ status, ...JSON.parse(text) }).toMatchObject({ status: 400, ...named })
      }
    }
    for (const zero of [{ limit: 0 }, { maxBytes: 0 }]) {
      expect(await failure(held.store.readPage({ ...page, ...zero }))).toMatchObject({ code: 'invalid-argument' })
      expect((await post('/readPage', JSON.stringify({ ...page, ...zero }))).status).toBe(400)
    }
    expect((await held.store.listTopics()).map(({ name, endOffsets }) => [name, endOffsets[0]])).toEqual([['t', 1]])
  })

  test('a second request on a connection is not answered', async () => {
    const request = 'POST /listTopics HTTP/1.1\r\nHost: x\r\nContent-Length: 18\r\n\r\n{"internal":false}'
    const { socket: pipelined, closed } = await raw(request.repeat(1_000))
    let answers = ''
    pipelined.on('data', (part: Buffer) => (answers += part.toString()))
    await closed
    expect(answers.split('HTTP/1.1 200').length - 1).toBeLessThanOrEqual(1)
    await isAlive()
  })

  test('has so many connections and no more, and says so', async () => {
    const others = await Promise.all(Array.from({ length: maxSocketConnections }, () => raw()))
    const error = await failure(client.listTopics())
    expect(error).toBeInstanceOf(HolderBusy)
    expect(error.message).toContain('it answers too many others')
    // The directory is not to be called in use: stopping the job is no remedy.
    expect(await failure(withStore(data, { clock: hasty }, (store) => store.listTopics()))).toMatchObject({
      code: 'system-unreachable',
      message: expect.stringMatching(/job "reconcile".* has too many others to answer: 64 connections/),
    })
    const more = await Promise.all(Array.from({ length: 2 * maxSocketConnections }, () => raw()))
    // Those beyond twice as many are cut at once.
    await Promise.race(more.map(({ closed }) => closed))
    // Of those, nothing was taken: no write of theirs is lost.
    for (let n = 0; n < 10; n += 1) {
      expect(await failure(client.append([oneRecord]))).toBeInstanceOf(HolderBusy)
      expect(await failure(client.listTopics())).toBeInstanceOf(HolderBusy)
    }
    // All files would be read and verified else, each time that a command tries again.
    expect(await failure(refuseHeld(dataDirectory(data), systemClock))).toMatchObject({ code: 'directory-in-use' })
    for (const each of [...others, ...more]) each.socket.destroy()
    await expect.poll(() => client.listTopics().catch(() => null), { timeout: 10_000 }).toEqual([])
  })

  test('reads one page at a time, nothing for who has gone, and says meanwhile who it is', async () => {
    await client.append([oneRecord])
    const readPage = held.store.readPage.bind(held.store)
    const opening = Promise.withResolvers<void>()
    let running = 0
    let most = 0
    const spy = vi.spyOn(held.store, 'readPage').mockImplementation(async (request) => {
      running += 1
      most = Math.max(most, running)
      await opening.promise
      const page = await readPage(request)
      running -= 1
      return page
    })
    const asked = Array.from({ length: 20 }, () => post('/readPage', onePage))
    await expect.poll(() => running).toBe(1)
    const gone = await raw(
      `POST /readPage HTTP/1.1\r\nHost: x\r\nContent-Length: ${String(onePage.length)}\r\n\r\n${onePage}`,
    )
    expect(await client.holder(5_000)).toMatchObject({ job: 'reconcile' })
    gone.socket.destroy()
    expect(await client.holder(5_000)).toMatchObject({ job: 'reconcile' })
    opening.resolve()
    expect((await Promise.all(asked)).map(({ status }) => status)).toEqual(Array.from({ length: 20 }, () => 200))
    expect(spy).toHaveBeenCalledTimes(20)
    expect(most).toBe(1)
  })

  test('begins no page for whose answer there may be no room', async () => {
    await client.append([oneRecord])
    const spy = vi.spyOn(held.store, 'readPage')
    const large = await raw(`POST /append HTTP/1.1\r\nHost: x\r\nContent-Length: ${String(60 * megabyte)}\r\n\r\n`)
    await new Promise((resolve) => large.socket.write(Buffer.alloc(40 * megabyte, ' '), resolve))
    expect((await post('/readPage', onePage)).status).toBe(429)
    expect(spy).not.toHaveBeenCalled()
    expect(await client.describeTopic('t')).toMatchObject({ name: 't' })
    large.socket.destroy()
    await expect.poll(async () => (await post('/readPage', onePage)).status).toBe(200)
  })

  test('holds so many bytes of requests and no more', async () => {
    const half = (): Promise<RawConnection> =>
      raw(`POST /append HTTP/1.1\r\nHost: x\r\nContent-Length: ${String(60 * megabyte)}\r\n\r\n`)
    const first = await half()
    await new Promise((resolve) => first.socket.write(Buffer.alloc(59 * megabyte, ' '), resolve))
    const second = await half()
    const answer = once(second.socket, 'data')
    second.socket.write(Buffer.alloc(59 * megabyte, ' '))
    expect(String(await answer)).toContain('HTTP/1.1 429')
    first.socket.destroy()
    second.socket.destroy()
    await isAlive()
  })

  test('waits so long for a whole request, and for its answer to be read', async () => {
    const slow = await raw('POST /append HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n[')
    await isAlive()
    await clock.advance(transferTimeoutMs)
    await slow.closed
    const value = Buffer.alloc(2 * megabyte, 'x')
    await client.append([{ topic: 't', partition: 0, key: null, value, headers: [], timestamp: 1 }])
    const body = JSON.stringify({ topic: 't', partition: 0, from: 0, limit: 1 })
    const lazy = await raw(
      `POST /readPage HTTP/1.1\r\nHost: x\r\nContent-Length: ${String(body.length)}\r\n\r\n${body}`,
    )
    // The answer is under way, and more of it than was looked at waits.
    await once(lazy.socket, 'readable')
    await clock.advance(transferTimeoutMs)
    lazy.socket.resume()
    await lazy.closed
    expect(lazy.socket.bytesRead).toBeLessThan(value.length)
  })

  test('a record that does not fit into a request is refused before it is sent', async () => {
    const value = Buffer.alloc(49 * megabyte)
    const sent = failure(client.append([{ topic: 't', partition: 0, key: null, value, headers: [], timestamp: 1 }]))
    expect(await sent).toMatchObject({ code: 'invalid-argument', message: expect.stringContaining('Stop the job') })
    await isAlive()
  })
})

describe('a page over the socket', () => {
  const sizes = [30, 10, 10, 49]
  const records = sizes.map((size, offset) => {
    const value = Buffer.alloc(size * megabyte)
    return new StreamRecord('t', 0, offset, 0, null, [], value, value)
  })
  const store = {
    readPage: ({ from, limit }: TopicPageRequest) =>
      Promise.resolve({ records: records.slice(from, from + limit), next: Math.min(from + limit, 4), end: 4 }),
  } as unknown as EmbeddedStore
  const read = async (from: number, limit: number): Promise<RecordPage> => {
    const request = storeCalls.readPage.encodeRequest({ topic: 't', partition: 0, from, limit })
    const page = storeCalls.readPage.decodeResponse(await storeCalls.readPage.answer(store, request))
    return { ...page, records: page.records.map((record) => fromWireRecord('t', 0, record)) }
  }

  test('holds as much as an answer may, and the next one goes on there', async () => {
    const { next, records: found } = await read(1, 1_000_000)
    expect({ next, offsets: found.map(({ offset }) => offset) }).toEqual({ next: 3, offsets: [1, 2] })
    expect((await read(2, 1)).next).toBe(3)
  })

  test('refuses a record that does not fit, and says where it is', async () => {
    const error = await failure(read(3, 1))
    expect(error).toMatchObject({ code: 'invalid-argument', details: { topic: 't', partition: 0, offset: 3 } })
    expect(error.message).toContain('Stop the job')
  })
})

describe('a page of rows over the socket', () => {
  const long = 'x'.repeat(49 * megabyte)
  const rowsOf = (all: readonly string[]): EmbeddedStore => {
    const readTable = (_keyspace: string, _table: string, { limit }: { limit: number }): Promise<RowPage> =>
      Promise.resolve({ rows: all.slice(0, limit), next: 'more' })
    return { readTable } as unknown as EmbeddedStore
  }
  const request = storeCalls.readTable.encodeRequest({ keyspace: 'shop', table: 'users', after: null, limit: 1_000 })

  test('ends before a row that does not fit with the others', async () => {
    const answer = await storeCalls.readTable.answer(rowsOf(['a', 'b', long]), request)
    expect(JSON.parse(answer)).toEqual({ rows: ['a', 'b'], next: 'more' })
  })

  test('refuses a row that does not fit, and names its table', async () => {
    expect(await failure(storeCalls.readTable.answer(rowsOf([long]), request))).toMatchObject({
      code: 'invalid-argument',
      message: expect.stringMatching(/shop\.users has 51380224 bytes.*Stop the job/),
    })
  })
})

describe('whoever asks a holder', () => {
  let answer: (request: IncomingMessage, response: ServerResponse) => void
  let client: StoreClient
  const server = createServer((request, response) => {
    answer(request, response)
  })

  beforeEach(async () => {
    const socket = join(directory.path, 'socket')
    server.listen(socket)
    await once(server, 'listening')
    client = new StoreClient(socket, systemClock)
  })
  afterEach(async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })

  test('knows a write that cannot have been done from one whose answer was lost', async () => {
    answer = (request) => {
      request.socket.destroy()
    }
    const whole = await failure(client.append([oneRecord]))
    expect(whole).not.toBeInstanceOf(HolderBusy)
    expect(whole.message).toMatch(/append and its answer was lost: socket hang up.*look before writing it again/)
    // Only a part of these can have been read.
    for (let n = 0; n < 10; n += 1)
      expect(await failure(client.append([{ ...oneRecord, value: Buffer.alloc(megabyte) }]))).toBeInstanceOf(HolderBusy)
    // Reading may always be asked for again.
    expect(await failure(client.listTopics())).toBeInstanceOf(HolderBusy)
    answer = (_, response) => {
      response.writeHead(200, { 'content-length': 10 })
      response.write('1', () => response.socket?.destroy())
    }
    expect(await failure(client.append([oneRecord]))).not.toBeInstanceOf(HolderBusy)
  })

  test('goes on with a write that is half done when the holder has others to answer meanwhile', async () => {
    const statuses = [200, 429, 429, 200]
    answer = (request, response) => {
      request.resume()
      request.on('end', () => {
        response.writeHead(statuses.shift() ?? 500)
        response.end('1')
      })
    }
    const half = { ...oneRecord, value: Buffer.alloc(megabyte) }
    expect(await client.append([half, half])).toBe(2)
    expect(statuses).toEqual([])
  })

  test('takes no endless answer', async () => {
    const piece = Buffer.alloc(megabyte, ' ')
    answer = (_, response) => {
      const more = (): void => {
        while (!response.destroyed && response.write(piece));
      }
      response.on('drain', more)
      response.on('error', () => undefined)
      more()
    }
    expect(await failure(client.listTopics())).toMatchObject({
      code: 'system-unreachable',
      message: expect.stringContaining('the answer has more than 134217728 bytes'),
    })
    expect(await client.holder(5_000)).toBeNull()
  })

  test('counts what an answer holds, and reads no long error', async () => {
    answer = (_, response) => {
      response.end(emptyArrays(4))
    }
    expect(await failure(client.listTopics())).toMatchObject({
      message: expect.stringContaining('holds more than 1000000 values'),
    })
    answer = (_, response) => {
      response.writeHead(400)
      response.end('x'.repeat(megabyte))
    }
    expect(await failure(client.listTopics())).toMatchObject({ code: 'system-unreachable' })
  })
})
