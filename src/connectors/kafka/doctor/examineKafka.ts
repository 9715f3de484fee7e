import { TidemarkError } from '../../../core/errors.ts'
import { fault, fine, type Finding } from '../../../core/finding.ts'
import { changelogTopicName } from '../../../core/ownNames.ts'
import { silentLogger } from '../../../core/ports/logger.ts'
import type { ExaminedJob, SystemEnvironment } from '../../../core/ports/system.ts'
import { formatHostPort } from '../../../core/settingCodecs.ts'
import { KafkaCluster } from '../client/kafkaCluster.ts'
import type { KafkaConfig } from '../config/kafkaConfig.ts'
import { findNamesakes } from '../group/namesakes.ts'
import { checkGroupIsClassic } from '../log/startupChecks.ts'
import { findOpenTransaction, type OpenTransaction } from './findOpenTransaction.ts'
import { judgeKafka, judgeTransactions, type KafkaNeeds } from './judgeKafka.ts'
import { readKafkaFacts, type KafkaFacts } from './kafkaFacts.ts'

/** Looks at a cluster, at a job's topics and at its consumer group. */
export async function examineKafka(
  { config, clock }: Pick<SystemEnvironment, 'clock'> & { readonly config: KafkaConfig },
  job: ExaminedJob | null,
): Promise<readonly Finding[]> {
  const cluster = new KafkaCluster(config, clock, silentLogger)
  try {
    const needs = job === null ? null : needsOf(job)
    const { inputs, outputs, changelog } = needs ?? { inputs: [], outputs: [], changelog: null }
    const topics = [...new Set([...inputs, ...outputs, ...(changelog === null ? [] : [changelog])])]
    const facts = await readKafkaFacts(cluster, { topics, groupId: job?.groupId ?? null })
    return [
      fine(`Kafka answers at ${config.bootstrapServers.map(formatHostPort).join(',')}`),
      ...judgeKafka(facts, config, needs),
      ...judgeTransactions(await openTransactions(cluster, facts, inputs), clock.now()),
      ...(job === null ? [] : [...(await groupKind(cluster, job.groupId)), ...(await nameFindings(cluster, job))]),
    ]
  } finally {
    await cluster.close()
  }
}

function needsOf(job: ExaminedJob): KafkaNeeds {
  return {
    ...job,
    inputs: job.inputs.flatMap((topics) => (topics.kind === 'topics' ? topics.topics : [])),
    changelog: changelogTopicName({ job: job.job, group: 'source' }),
  }
}

async function openTransactions(
  cluster: KafkaCluster,
  { topics }: KafkaFacts,
  inputs: readonly string[],
): Promise<readonly OpenTransaction[]> {
  const places = topics
    .filter(({ name }) => inputs.includes(name))
    .flatMap(({ name, partitions }) => Array.from({ length: partitions }, (_, partition) => ({ name, partition })))
  const found = await Promise.all(places.map(({ name, partition }) => findOpenTransaction(cluster, name, partition)))
  return found.filter((transaction) => transaction !== null)
}

/** A group whose partitions the brokers deal out cannot be a job's. */
async function groupKind(cluster: KafkaCluster, groupId: string): Promise<readonly Finding[]> {
  try {
    await checkGroupIsClassic(cluster, groupId)
    return []
  } catch (error) {
    if (!(error instanceof TidemarkError) || error.code !== 'invalid-plan') throw error
    return [fault(error.message, 'choose another groupId, or delete that group')]
  }
}

/** Whose live processes work under the job's name, or with its transactional ids, in another consumer group. */
async function nameFindings(cluster: KafkaCluster, examined: ExaminedJob): Promise<readonly Finding[]> {
  const { job, transactionalIdPrefix } = examined
  return (await findNamesakes(cluster, examined, silentLogger)).map((namesake) =>
    fault(
      `Consumer group ${namesake.groupId} works as job ${namesake.job}${namesake.job === job ? '' : `, with the transactional ids ${transactionalIdPrefix}-…`}, on ${namesake.hosts.join(', ')}`,
      'give this deployment a name of its own (--job.name=<name>), or stop those processes',
    ),
  )
}
