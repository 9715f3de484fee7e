import type { CassandraConfig } from '../config/cassandraConfig.ts'
import type { CassandraFacts, KeyspaceFacts } from '../client/cassandraFacts.ts'
import { fault, fine, risk, type Finding } from '../../../core/finding.ts'

const wantedReplicas = 3
/** Beyond it times in dead letters, metrics and Cassandra's own cells cannot be compared. */
const mostSkewMs = 1000

/** What is to be said about a cluster. */
export function judgeCassandra(
  { version, nodes, keyspaces, clockSkewMs, clockErrorMs }: CassandraFacts,
  { localDatacenter }: Pick<CassandraConfig, 'localDatacenter'>,
): readonly Finding[] {
  const skew = `Cassandra's clock is ${String(Math.abs(clockSkewMs))} ms ${clockSkewMs < 0 ? 'behind' : 'ahead of'} this machine's (+/- ${String(clockErrorMs)})`
  return [
    fine(`Cassandra ${version}, ${String(nodes)} ${nodes === 1 ? 'node' : 'nodes'}, datacenter ${localDatacenter}`),
    Math.abs(clockSkewMs) <= mostSkewMs + clockErrorMs
      ? fine(skew)
      : risk(skew, 'let both machines take their time from NTP'),
    ...keyspaces.map((keyspace) => keyspaceFinding(keyspace, localDatacenter)),
  ]
}

function keyspaceFinding({ keyspace, strategy, replicas }: KeyspaceFacts, datacenter: string): Finding {
  const isSimple = strategy === 'SimpleStrategy'
  const copies = replicas.get(isSimple ? 'replication_factor' : datacenter) ?? 0
  const said = `Keyspace ${keyspace}: ${strategy}, ${String(copies)} ${copies === 1 ? 'replica' : 'replicas'}${isSimple ? '' : ` in ${datacenter}`}`
  const alter = `ALTER KEYSPACE ${keyspace} WITH replication = {'class': 'NetworkTopologyStrategy', '${datacenter}': ${String(wantedReplicas)}}, then nodetool repair`
  if (strategy === 'LocalStrategy') return fine(said)
  if (copies === 0) return fault(`${said}: its rows cannot be read there`, alter)
  if (copies < wantedReplicas) return risk(`${said}: one node that is down makes rows unreadable`, alter)
  return isSimple ? risk(`${said}, which knows no datacenters`, alter) : fine(said)
}
