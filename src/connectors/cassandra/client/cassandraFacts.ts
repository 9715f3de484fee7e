import { isSystemKeyspace } from '../../../tables/tableNames.ts'
import type { Clock } from '../../../core/ports/clock.ts'
import { valuesOf } from '../lookup/queryCassandra.ts'
import type { CqlSession } from './cqlSession.ts'

/** How the rows of a keyspace are replicated. */
export interface KeyspaceFacts {
  readonly keyspace: string
  /** `SimpleStrategy`, `NetworkTopologyStrategy`, … */
  readonly strategy: string
  /** Replicas by datacenter; of `SimpleStrategy` under `replication_factor`. */
  readonly replicas: ReadonlyMap<string, number>
}

export interface CassandraFacts {
  readonly version: string
  readonly nodes: number
  /** All but Cassandra's own. */
  readonly keyspaces: readonly KeyspaceFacts[]
  /** Cassandra's clock minus this machine's, and by how much that may be wrong. */
  readonly clockSkewMs: number
  readonly clockErrorMs: number
}

/** Reads what a doctor wants to know, on a connected session; changes nothing. Rejects with `system-unreachable`. */
export async function readCassandraFacts(session: CqlSession, clock: Clock): Promise<CassandraFacts> {
  const [[version = ''] = []] = await valuesOf(session, 'SELECT release_version FROM system.local')
  const peers = await valuesOf(session, 'SELECT peer FROM system.peers_v2')
  const beforeMs = clock.now()
  const [[now = ''] = []] = await valuesOf(session, 'SELECT toTimestamp(now()) FROM system.local')
  const afterMs = clock.now()
  const keyspaces = await valuesOf(session, 'SELECT keyspace_name, replication FROM system_schema.keyspaces')
  return {
    version: String(version),
    nodes: peers.length + 1,
    clockSkewMs: Math.round(Date.parse(String(now)) - (beforeMs + afterMs) / 2),
    clockErrorMs: Math.ceil((afterMs - beforeMs) / 2),
    keyspaces: keyspaces
      .map(([name, replication]) => keyspaceFacts(String(name), replication))
      .filter(({ keyspace }) => !isSystemKeyspace(keyspace)),
  }
}

function keyspaceFacts(keyspace: string, replication: unknown): KeyspaceFacts {
  const options = new Map(Object.entries(replication ?? {}).map(([name, value]) => [name, String(value)]))
  const strategy = options.get('class') ?? ''
  options.delete('class')
  return {
    keyspace,
    strategy: strategy.slice(strategy.lastIndexOf('.') + 1),
    // `3/1` counts a transient replica, which is no copy to rely on.
    replicas: new Map([...options].map(([name, value]) => [name, Number.parseInt(value, 10)])),
  }
}
