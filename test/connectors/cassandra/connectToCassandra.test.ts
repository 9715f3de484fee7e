import { createServer, type AddressInfo, type Server } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { CassandraOptions } from '../../../src/connectors/cassandra/config/cassandraConfig.ts'
import { TidemarkError } from '../../../src/core/errors.ts'
import { startCassandra, type RunningCassandra } from '../../servers/cassandraServer.ts'
import { runCql } from '../../servers/cqlWire.ts'
import { describeWithServers } from '../../support/realServers.ts'
import { realRows, type RealRows } from './realRows.ts'

describeWithServers('a session with a real Cassandra', ['java', 'cassandra'], (servers) => {
  let secured: RunningCassandra
  /** Takes connections and says nothing. */
  let silent: Server
  /** Says what Cassandra never would. */
  let stranger: Server

  const portOf = (server: Server): number => (server.address() as AddressInfo).port
  const listen = (server: Server): Promise<Server> =>
    new Promise((resolve) => {
      // On every address of the loopback interface.
      server.listen(0, '0.0.0.0', () => {
        resolve(server)
      })
    })
  const right = (): Partial<CassandraOptions> => ({
    username: 'cassandra',
    password: 'cassandra',
    tlsCa: secured.caFile,
  })

  beforeAll(async () => {
    secured = await startCassandra({ auth: true, tls: true })
    await runCql(secured.target, [
      "CREATE KEYSPACE shop WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
      'CREATE TABLE shop.items (sku int PRIMARY KEY, name text)',
      "INSERT INTO shop.items (sku, name) VALUES (1, 'one')",
      "CREATE ROLE reader WITH PASSWORD = 'reader' AND LOGIN = true",
    ])
    silent = await listen(createServer((socket) => socket.on('error', () => undefined).resume()))
    stranger = await listen(
      createServer((socket) =>
        socket.on('error', () => undefined).once('data', () => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')),
      ),
    )
  }, 300_000)

  afterAll(async () => {
    silent.close()
    stranger.close()
    await secured.kill9()
  })

  /** What a start fails with, and how long it takes. */
  async function failure(
    contactPoints: string,
    options: Partial<CassandraOptions> = {},
  ): Promise<TidemarkError & { ms: number }> {
    const real = realRows(contactPoints, options)
    const startedMs = performance.now()
    try {
      await real.rows.connect()
    } catch (error) {
      if (error instanceof TidemarkError) return Object.assign(error, { ms: performance.now() - startedMs })
      throw error
    } finally {
      await real.rows.close()
      expect(JSON.stringify(real.log.lines)).not.toContain('wrong-secret')
    }
    throw new Error('it connected')
  }

  async function withRows<T>(
    contactPoints: string,
    options: Partial<CassandraOptions>,
    use: (real: RealRows) => Promise<T>,
  ): Promise<T> {
    const real = realRows(contactPoints, options)
    await real.rows.connect()
    try {
      return await use(real)
    } finally {
      await real.rows.close()
    }
  }

  test('with the right user, password and authority reads rows', async () => {
    const outcome = await withRows(secured.address, right(), ({ rows }) =>
      rows.lookup({ keyspace: 'shop', tableName: 'items', pk: '1' }),
    )
    expect(outcome).toMatchObject({ kind: 'hit', result: { encoded: '{"name":"one","sku":1}' } })
  })

  test('of a user who may not read a table makes final errors of its records', async () => {
    const outcomes = await withRows(
      secured.address,
      { ...right(), username: 'reader', password: 'reader' },
      ({ rows }) =>
        rows.lookupMany([
          { keyspace: 'shop', tableName: 'items', pk: 1 },
          { keyspace: 'shop', tableName: 'items', pk: 2 },
        ]),
    )
    for (const outcome of outcomes) {
      expect(outcome).toMatchObject({ kind: 'error', error: { code: 'lookup-failed', retriable: false } })
      expect(outcome.kind === 'error' ? outcome.error.message : '').toContain('has no SELECT permission')
    }
  })

  test('is opened once and closed once however often that is asked for', async () => {
    const real = realRows(secured.address, right())
    await Promise.all([real.rows.connect(), real.rows.connect()])
    await real.rows.connect()
    await Promise.all([real.rows.close(), real.rows.close()])
    await expect(real.rows.probe()).rejects.toMatchObject({ code: 'system-unreachable' })
    expect(real.log.lines.filter(({ message }) => message === 'Connected to Cassandra')).toHaveLength(1)
  })

  test('fails within 15 s, naming cause and fix, and leaves no connection open', async () => {
    const plain = servers.cassandra().contactPoints
    const cases: readonly (readonly [string, string, Partial<CassandraOptions>, readonly string[]])[] = [
      ['wrong port', '127.0.0.1:1', {}, ['ECONNREFUSED', 'nothing listens there: check cassandra.contact.points']],
      ['wrong host', 'no-such-host.invalid:9042', {}, ['the host name is not known: check cassandra.contact.points']],
      [
        'wrong datacenter',
        plain,
        { localDatacenter: 'dc9' },
        ['Available DCs are: [', 'set cassandra.local.datacenter to one of those'],
      ],
      [
        'wrong password',
        secured.address,
        { ...right(), password: 'wrong-secret' },
        ['user name or password are wrong: check cassandra.username and cassandra.password'],
      ],
      ['no password', secured.address, { tlsCa: secured.caFile }, ['set cassandra.username and cassandra.password']],
      [
        'unknown authority',
        secured.address,
        { ...right(), tlsCa: undefined, tls: true },
        ['self-signed certificate', 'in cassandra.tls.ca'],
      ],
      [
        'TLS to a plaintext port',
        plain,
        { tls: true },
        ['this port does not speak TLS', 'remove the settings cassandra.tls'],
      ],
      [
        'plaintext to a TLS port',
        secured.address,
        { ...right(), tlsCa: undefined },
        ['a port that wants TLS', 'set cassandra.tls=true'],
      ],
      ['silence', `127.0.0.1:${String(portOf(silent))}`, {}, ['did not reply', 'check cassandra.contact.points']],
      [
        'silence under TLS',
        `127.0.0.1:${String(portOf(silent))}`,
        { tls: true, connectTimeoutMs: 1_000 },
        ['no answer came', 'check cassandra.contact.points'],
      ],
      ['another protocol', `127.0.0.1:${String(portOf(stranger))}`, {}, ['no Cassandra but an HTTP server']],
    ]
    for (const [name, contactPoints, options, words] of cases) {
      const error = await failure(contactPoints, options)
      expect([name, error.code]).toEqual([name, 'system-unreachable'])
      for (const word of words) expect(error.message).toContain(word)
      expect(error.message).not.toContain('wrong-secret')
      expect(error.ms).toBeLessThan(15_000)
    }
    await expect.poll(sockets, { timeout: 3_000 }).toBe(0)
  }, 60_000)

  test('fails within 15 s however many addresses give no answer', async () => {
    const addresses = Array.from({ length: 12 }, (_, at) => `127.0.0.${String(at + 1)}:${String(portOf(silent))}`)
    const error = await failure(addresses.join(','), { requestTimeoutMs: 3_000 })
    expect(error.code).toBe('system-unreachable')
    expect(error.message).toContain('did not reply')
    expect(error.ms).toBeLessThan(15_000)
    await expect.poll(sockets, { timeout: 3_000 }).toBe(0)
  }, 30_000)
})

/** Open connections of this process, of either side. */
function sockets(): number {
  return process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length
}
