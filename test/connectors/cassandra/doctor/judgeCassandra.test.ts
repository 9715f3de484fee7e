import { expect, it } from 'vitest'
import { judgeCassandra } from '../../../../src/connectors/cassandra/doctor/judgeCassandra.ts'
import type { CassandraFacts, KeyspaceFacts } from '../../../../src/connectors/cassandra/client/cassandraFacts.ts'

const keyspace = (strategy: string, replicas: Record<string, number>): KeyspaceFacts => ({
  keyspace: 'shop',
  strategy,
  replicas: new Map(Object.entries(replicas)),
})

const judge = (facts: Partial<CassandraFacts>) =>
  judgeCassandra(
    { version: '5.0.6', nodes: 3, keyspaces: [], clockSkewMs: 0, clockErrorMs: 2, ...facts },
    { localDatacenter: 'dc1' },
  ).filter(({ level }) => level !== 'ok')

it.each<[string, KeyspaceFacts, 'warn' | 'fail' | null]>([
  ['three replicas in the datacenter', keyspace('NetworkTopologyStrategy', { dc1: 3, dc2: 1 }), null],
  ['two replicas', keyspace('NetworkTopologyStrategy', { dc1: 2 }), 'warn'],
  ['no replicas in the datacenter', keyspace('NetworkTopologyStrategy', { dc2: 3 }), 'fail'],
  ['one replica anywhere', keyspace('SimpleStrategy', { replication_factor: 1 }), 'warn'],
  ['three replicas anywhere', keyspace('SimpleStrategy', { replication_factor: 3 }), 'warn'],
  ['local data', keyspace('LocalStrategy', {}), null],
])('the doctor of Cassandra judges %s', (_, facts, level) => {
  expect(judge({ keyspaces: [facts] }).map((finding) => finding.level)).toEqual(level === null ? [] : [level])
})

it('the doctor of Cassandra warns of clocks that differ by more than the measurement can tell', () => {
  expect(judge({ clockSkewMs: -900 })).toEqual([])
  expect(judge({ clockSkewMs: 1400, clockErrorMs: 500 })).toEqual([])
  expect(judge({ clockSkewMs: -1400 })).toMatchObject([
    { level: 'warn', what: expect.stringContaining('1400 ms behind') },
  ])
})
