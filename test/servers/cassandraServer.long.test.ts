import { Client } from 'cassandra-driver'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { startCassandra, type RunningCassandra } from './cassandraServer.ts'
import { runCql } from './cqlWire.ts'
import { describeWithServers } from '../support/realServers.ts'

const startMs = 600_000

describeWithServers('Cassandra from jars, with passwords and TLS', ['java'], () => {
  let node: RunningCassandra
  let dataDir = ''

  beforeAll(async () => {
    dataDir = mkdtempSync(join(tmpdir(), 'tidemark-cassandra-test-'))
    node = await startCassandra({ dataDir, auth: true, tls: true })
  }, startMs)

  afterAll(async () => {
    await node.kill9()
    rmSync(dataDir, { recursive: true, force: true })
  })

  it('keeps an acknowledged row over kill -9', async () => {
    await runCql(node.target, [
      "CREATE KEYSPACE kept WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
      'CREATE TABLE kept.rows (id int PRIMARY KEY, name text)',
      "INSERT INTO kept.rows (id, name) VALUES (1, 'one')",
    ])
    await node.kill9()
    await expect(runCql(node.target, ['SELECT * FROM kept.rows'])).rejects.toThrow('ECONNREFUSED')
    await node.restart()
    const client = new Client({
      contactPoints: [node.address],
      localDataCenter: node.datacenter,
      credentials: { username: 'cassandra', password: 'cassandra' },
      sslOptions: { ca: readFileSync(node.caFile ?? '') },
    })
    const { rows } = await client.execute('SELECT name FROM kept.rows WHERE id = 1')
    await client.shutdown()
    expect(rows).toMatchObject([{ name: 'one' }])
  }, 180_000)

  it('lets nobody in with a wrong password, without TLS, or on trust in another authority', async () => {
    const { address, caPem = '' } = node.target
    const wrong = { name: 'cassandra', password: 'guess' }
    await expect(runCql({ address, caPem, user: wrong }, [])).rejects.toThrow(/password.*incorrect/)
    // Whether the node's end or its reset of the connection is seen first is a matter of luck.
    await expect(runCql({ address, user: wrong }, [])).rejects.toThrow(/the connection was closed|ECONNRESET|EPIPE/)
    await expect(runCql({ ...node.target, caPem: '' }, [])).rejects.toThrow(/certificate/)
  })
})
