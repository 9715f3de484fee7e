import { request as httpRequest } from 'node:http'
import { stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { parseJson } from '../../../../src/codecs/json/parseJson.ts'
import { dataDirectory } from '../../../../src/connectors/embedded/shared/holder.ts'
import { holdForJob, type HeldDirectory } from '../../../../src/connectors/embedded/shared/heldDirectory.ts'
import { HolderGone, StoreClient } from '../../../../src/connectors/embedded/shared/storeClient.ts'
import { systemClock } from '../../../../src/core/ports/clock.ts'
import type { OutputRecord } from '../../../../src/core/record.ts'
import { commitMetadata } from '../../../support/commitMetadata.ts'
import { jobLogSpec, joinTask } from '../embeddedJob.ts'
import { temporaryDirectory } from '../temporaryDirectory.ts'
import { at } from '../../../support/positions.ts'

const users = {
  keyspace: 'app',
  table: 'users',
  types: { place: { city: 'text' } },
  columns: { id: 'bigint', name: 'text', home: 'frozen<place>' },
  primaryKey: [['id'], []],
  rows: [parseJson('{"id": 9007199254740993, "name": "ü", "home": {"city": "x"}}', { numbers: 'exact' })],
}

function output(part: Partial<OutputRecord> = {}): OutputRecord {
  return { topic: 't', partition: 0, key: null, value: null, headers: [], timestamp: 1, ...part }
}

describe('control socket', () => {
  let directory: Awaited<ReturnType<typeof temporaryDirectory>>
  let held: HeldDirectory
  let socket: string
  let client: StoreClient

  beforeEach(async () => {
    directory = await temporaryDirectory()
    const path = join(directory.path, 'data')
    held = await holdForJob(path, 'reconcile', { clock: systemClock })
    await held.serve()
    socket = dataDirectory(path).socket
    client = new StoreClient(socket, systemClock)
  })
  afterEach(async () => {
    await held.close()
    await directory.remove()
  })

  const post = (path: string, body: string | Buffer, method = 'POST'): Promise<{ status: number; body: string }> =>
    new Promise((resolve, reject) => {
      const request = httpRequest({ socketPath: socket, path, method, agent: false }, (response) => {
        let text = ''
        response.setEncoding('utf8')
        response.on('data', (chunk: string) => (text += chunk))
        response.on('end', () => {
          resolve({ status: response.statusCode ?? 0, body: text })
        })
      })
      request.on('error', reject)
      request.end(body)
    })

  test('does everything that the store itself does', async () => {
    const { store } = held
    expect(await client.createTopic('small', { partitions: 1, maxMessageBytes: 10 })).toEqual(
      await store.describeTopic('small'),
    )
    const records = [
      output({
        key: Buffer.alloc(0),
        value: Buffer.from([0, 255, 128]),
        headers: [
          ['h', null],
          ['h', Buffer.from('ü')],
        ],
        timestamp: -1,
      }),
      output({ key: null, value: null }),
      output({ partition: null, key: Buffer.from('k'), value: Buffer.alloc(0) }),
    ]
    expect(await client.append(records)).toBe(3)
    expect(await client.describeTopic('t')).toEqual(await store.describeTopic('t'))
    for (const partition of [0, 1, 2, 3]) {
      const request = { topic: 't', partition, from: 0, limit: 10 }
      expect(await client.readPage(request)).toEqual(await store.readPage(request))
    }
    const task = await joinTask(store, jobLogSpec(['t']))
    await task.commitLog.fence()
    const transaction = task.commitLog.begin()
    await transaction.prepare([])
    await transaction.commit(at({ t: 1 }), commitMetadata())
    expect(await client.committedOffsets('group')).toEqual(await store.committedOffsets('group'))
    expect(await client.committedOffsets('group')).toMatchObject([{ topic: 't', partition: 0, offset: 1 }])
    for (const internal of [true, false])
      expect(await client.listTopics({ internal })).toEqual(await store.listTopics({ internal }))
    expect(await client.loadTable(users)).toBe(1)
    expect(await client.loadTable({ ...users, table: 'empty', rows: [] })).toBe(0)
    expect(await client.listTables()).toEqual(await store.listTables())
    const page = { after: null, limit: 10 }
    expect(await client.readTable('app', 'users', page)).toEqual(await store.readTable('app', 'users', page))
    const pk = parseJson('9007199254740993', { numbers: 'exact' })
    for (const request of [
      { keyspace: 'app', tableName: 'users', pk },
      { keyspace: 'app', tableName: 'users', primaryKey: { id: '1' } },
      { keyspace: 'app', tableName: 'users', primaryKey: { id: 'x' } },
      { keyspace: 'a"; \0', tableName: '', pk: [{ a: null }] },
    ]) {
      expect(await client.getRow(request)).toEqual(await store.getRow(request))
    }
    expect(await client.getRow({ keyspace: 'app', tableName: 'users', pk })).toMatchObject({ kind: 'hit' })
  })

  test('passes errors on as they are', async () => {
    await expect(client.describeTopic('nothing')).rejects.toMatchObject({
      code: 'unknown-topic',
      details: { topic: 'nothing' },
    })
    await expect(client.readTable('a', 'b', { after: null, limit: 1 })).rejects.toMatchObject({ code: 'unknown-table' })
    await client.createTopic('small', { maxMessageBytes: 10 })
    await expect(client.append([output({ topic: 'small', value: Buffer.alloc(11) })])).rejects.toMatchObject({
      code: 'record-too-large',
    })
    await expect(client.loadTable({})).rejects.toMatchObject({ code: 'invalid-input' })
  })

  test('takes more than one request of records and a record as large as a topic takes', async () => {
    const records = Array.from({ length: 3_000 }, (_, n) =>
      output({ value: Buffer.alloc(1_000, String(n % 10)), timestamp: n }),
    )
    expect(await client.append(records)).toBe(3_000)
    await client.append([output({ partition: 1, value: Buffer.alloc(16 * 1024 * 1024, 'x') })])
    let next = 0
    let count = 0
    while (next < 3_000) {
      const page = await client.readPage({ topic: 't', partition: 0, from: next, limit: 10_000 })
      expect(page.records.every(({ offset, timestamp }) => offset === timestamp)).toBe(true)
      count += page.records.length
      next = page.next
    }
    expect(count).toBe(3_000)
    expect((await client.readPage({ topic: 't', partition: 1, from: 0, limit: 1 })).records[0]?.raw).toHaveLength(
      16 * 1024 * 1024,
    )
  })

  test('says who holds the directory', async () => {
    expect(await client.holder(1_000)).toEqual({ pid: process.pid, kind: 'job', job: 'reconcile', socket })
  })

  test('can be reached by its owner alone', async () => {
    expect((await stat(dirname(socket))).mode & 0o777).toBe(0o700)
  })

  test.each([
    ['/nothing', '{}'],
    ['/constructor', '{}'],
    ['/__proto__', '{}'],
    ['/close', '{}'],
    ['/createTopic', ''],
    ['/createTopic', 'not json'],
    ['/createTopic', '{"name":1,"options":{}}'],
    ['/createTopic', '{"name":"t","options":{"partitions":"4"}}'],
    ['/append', '[{"topic":"t"}]'],
    ['/append', '{"length":1e9}'],
    ['/readPage', '{"topic":"t","partition":0,"from":0}'],
    ['/getRow', '{"request":"[]"}'],
    ['/getRow', `{"request":"${'['.repeat(10_000)}"}`],
    ['/loadRows', '{"definition":"1","rows":[]}'],
  ])('refuses %s %s and lives', async (path, body) => {
    expect(await post(path, body)).toMatchObject({ status: 400 })
    expect(await client.listTopics()).toEqual([])
  })

  test('refuses other methods, and requests that are too large', async () => {
    expect((await post('/listTopics', '{"internal":false}', 'PUT')).status).toBe(400)
    await expect(post('/append', Buffer.alloc(65 * 1024 * 1024, ' '))).resolves.toMatchObject({ status: 400 })
    expect(await client.listTopics()).toEqual([])
  })

  test('is gone when the holder is, and whoever asks is told so', async () => {
    await held.close()
    await expect(client.listTopics()).rejects.toBeInstanceOf(HolderGone)
    expect(await client.holder(1_000)).toBeNull()
  })

  test('answers what it was asked before it closes', async () => {
    const asked = Array.from({ length: 20 }, () => client.append([output()]))
    const results = await Promise.allSettled([...asked, held.close()])
    const taken = results.slice(0, 20).filter(({ status }) => status === 'fulfilled').length
    const gone = results
      .slice(0, 20)
      .filter((result) => result.status === 'rejected' && result.reason instanceof HolderGone).length
    expect(taken + gone).toBe(20)
    held = await holdForJob(join(directory.path, 'data'), 'next', { clock: systemClock })
    const topics = await held.store.listTopics()
    expect(topics[0]?.endOffsets[0] ?? 0).toBe(taken)
  })
})
