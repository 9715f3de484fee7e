import { sleep } from '../../../core/ports/clock.ts'
import { TidemarkError } from '../../../core/errors.ts'
import type { JobLogSpec } from '../../../core/ports/jobLog.ts'
import type { Logger } from '../../../core/ports/logger.ts'
import { decodeSubscription, protocolName } from './groupProtocol.ts'
import type { KafkaCluster } from '../client/kafkaCluster.ts'
import { requestDescriptions, requestGroups, type DescribedGroup } from '../protocol/describeGroups.ts'

/** Whose name is asked for. */
export type NameSpec = Pick<JobLogSpec, 'job' | 'group' | 'groupId' | 'transactionalIdPrefix'>

/** Live processes of another consumer group that work under this job's name, or with its transactional ids. */
export interface Namesake {
  readonly groupId: string
  readonly job: string
  readonly hosts: readonly string[]
}

/** A group with members is in one of these. */
const liveStates = ['Stable', 'PreparingRebalance', 'CompletingRebalance']
const groupsOfARequest = 100
/** A start does not wait longer for this: whoever is overlooked is told by recovery. */
const limitMs = 3_000
/** While a group rebalances, its members' words are hidden. */
const rebalancingMs = 250
const looks = 4

/**
 * Throws `job-name-in-use` when live members of another consumer group have this job's name or transactional ids: both
 * would fence each other for ever. Nothing is changed. Where groups may not be listed, or not in time, nobody is found.
 */
export async function checkNoNamesake(cluster: KafkaCluster, spec: NameSpec, log: Logger): Promise<void> {
  const [found] = await findNamesakes(cluster, spec, log)
  if (found !== undefined) throw inUse(spec, found)
}

/** All live namesakes, of every broker that answers in time. */
export async function findNamesakes(cluster: KafkaCluster, spec: NameSpec, log: Logger): Promise<readonly Namesake[]> {
  const waited = new AbortController()
  const found: Namesake[] = []
  const asked = cluster.nodeIds.map(async (nodeId) => {
    try {
      found.push(...(await namesakesAt(cluster, nodeId, spec, waited.signal)))
    } catch (error) {
      log.debug('A broker did not say who works under the name of this job', { nodeId, job: spec.job, error })
    }
  })
  await Promise.race([Promise.all(asked), sleep(cluster.clock, limitMs, waited.signal)])
  waited.abort()
  return found
}

async function namesakesAt(
  cluster: KafkaCluster,
  nodeId: number,
  spec: NameSpec,
  signal: AbortSignal,
): Promise<readonly Namesake[]> {
  const broker = await cluster.pool.broker(nodeId)
  const listed = await requestGroups(broker, liveStates)
  let open = listed.flatMap(({ groupId, protocolType, type }) =>
    groupId !== spec.groupId && protocolType === 'consumer' && type.toLowerCase() === 'classic' ? [groupId] : [],
  )
  const found: Namesake[] = []
  for (let look = 0; look < looks && open.length > 0 && !signal.aborted; look += 1) {
    if (look > 0) await sleep(cluster.clock, rebalancingMs, signal)
    const rebalancing: string[] = []
    for (let from = 0; from < open.length && !signal.aborted; from += groupsOfARequest) {
      for (const group of await requestDescriptions(broker, open.slice(from, from + groupsOfARequest))) {
        if (group.state === 'Stable') found.push(...namesakesIn(group, spec))
        else if (group.members.length > 0) rebalancing.push(group.groupId)
      }
    }
    open = rebalancing
  }
  return found
}

function namesakesIn({ groupId, protocol, members }: DescribedGroup, spec: NameSpec): readonly Namesake[] {
  if (protocol !== protocolName) return []
  const theirs = members.flatMap(({ metadata, clientHost }) => {
    const data = decodeSubscription(metadata)
    if (data === null || data.group !== spec.group) return []
    const isNamesake = data.job === spec.job || data.prefix === spec.transactionalIdPrefix
    return isNamesake ? [{ job: data.job, host: clientHost.replace(/^\//, '') }] : []
  })
  const [first] = theirs
  return first === undefined
    ? []
    : [{ groupId, job: first.job, hosts: [...new Set(theirs.map(({ host }) => host))].toSorted() }]
}

function inUse({ job, transactionalIdPrefix, groupId }: NameSpec, namesake: Namesake): TidemarkError {
  const who = `live processes in consumer group ${namesake.groupId}, on ${namesake.hosts.join(', ')}`
  return new TidemarkError(
    'job-name-in-use',
    namesake.job === job
      ? `Job '${job}' is at work already: it has ${who}. This deployment has group ${groupId}, and two deployments under one name would take changelog and transactional ids from each other. Give this one a name of its own with --job.name=<name>, or stop those processes`
      : `Job '${namesake.job}' works with the transactional ids ${transactionalIdPrefix}-…, which are this job's as well: it has ${who}. Give this job another transactionalIdPrefix, or stop those processes`,
    { details: { job, groupId: namesake.groupId, hosts: namesake.hosts.join(',') } },
  )
}
