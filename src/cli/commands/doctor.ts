import path from 'node:path'
import type { Command } from 'commander'
import { cassandraConfigOf, kafkaConfigOf } from '../../composition.ts'
import { readCassandraFacts } from '../../connectors/cassandra/client/cassandraFacts.ts'
import { DriverSession } from '../../connectors/cassandra/client/driverSession.ts'
import { KafkaCluster } from '../../connectors/kafka/client/kafkaCluster.ts'
import { changelogOf, readKafkaFacts, type KafkaFacts } from '../../connectors/kafka/topics/kafkaFacts.ts'
import { findNamesakes } from '../../connectors/kafka/group/namesakes.ts'
import { findOpenTransaction, type OpenTransaction } from '../../connectors/kafka/write/openTransactions.ts'
import { checkGroupIsClassic } from '../../connectors/kafka/log/startupChecks.ts'
import { TidemarkError } from '../../core/errors.ts'
import { formatHostPort } from '../../core/settingCodecs.ts'
import { silentLogger } from '../../core/ports/logger.ts'
import type { Plan } from '../../runtime/plan/plan.ts'
import { deadLetterTopics } from '../../runtime/plan/planLoops.ts'
import { chooseWorld, type WorldNeeds } from '../../runtime/settings/chooseWorld.ts'
import type { ResolvedSettings } from '../../runtime/settings/resolvedSettings.ts'
import { jobOf, settingsOf, type CommandContext, type CommonOptions } from '../commandContext.ts'
import { withCommonOptions } from '../commonOptions.ts'
import { deployment } from '../deployment.ts'
import { fault, fine, type Finding } from '../../core/finding.ts'
import { judgeCassandra } from '../../connectors/cassandra/doctor/judgeCassandra.ts'
import { judgeKafka } from '../../connectors/kafka/doctor/judgeKafka.ts'
import { judgeTransactions } from '../../connectors/kafka/doctor/judgeTransactions.ts'
import { planOf, worldNeeds } from './plan.ts'
import type { RealWorld } from '../runReal.ts'

const colours = { ok: 'green', warn: 'yellow', fail: 'red' } as const

/** `tidemark doctor [job]`: whether the systems are as a job needs them. */
export function addDoctorCommand(program: Command, context: CommandContext): void {
  withCommonOptions(program.command('doctor'))
    .argument('[job]', 'job file, whose topics and consumer group are looked at too')
    .summary('check Kafka and Cassandra for what a job needs of them')
    .description(
      'Connects to the systems that are configured and looks at versions, transaction limits, replication, topics, the\nconsumer group, keyspaces and clocks. Changes nothing. Each line is ok, warn or fail, with what to do about it; the\nexit code is 1 when there is a fail.',
    )
    .addHelpText('after', '\nExample:\n  tidemark doctor jobs/reconcile.ts')
    .action(async (file: string | undefined, options: CommonOptions) => {
      const { out } = context
      const loaded = file === undefined ? null : await jobOf(context, file)
      const settings = settingsOf(context, options, loaded)
      const plan = loaded === null ? null : planOf(loaded, settings, context)
      const renamed = loaded !== null && plan !== null && plan.job !== loaded.job.name
      const named = renamed ? [fine(`Job ${deployment(plan, loaded)}`)] : []
      const findings = [...named, ...(await examine(context, settings, plan))]
      for (const { level, what, fix } of findings) {
        await out.line(`${out.style(colours[level], level.padEnd(4))}  ${what}`)
        if (fix !== null) await out.line(`      fix: ${fix}`)
      }
      if (findings.some(({ level }) => level === 'fail')) context.exit(1)
    })
}

async function examine(
  context: CommandContext,
  settings: ResolvedSettings,
  plan: Plan | null,
): Promise<readonly Finding[]> {
  const world = chooseWorld(settings, plan === null ? whatIsSet(settings) : worldNeeds(plan))
  if (world.kind === 'embedded') {
    const directory = path.resolve(context.io.directory, settings.get('data.dir'))
    return [fine(`Embedded world in ${directory} : there is no other system to look at`)]
  }
  const [kafka, cassandra] = await Promise.all([
    asFindings(() => examineKafka(context, settings, plan, world)),
    asFindings(() => examineCassandra(context, settings, world)),
  ])
  return [...kafka, ...cassandra]
}

/** Without a job: every system of which anything is set. */
function whatIsSet(settings: ResolvedSettings): WorldNeeds {
  const isSet = (key: 'kafka.bootstrap.servers' | 'cassandra.contact.points' | 'cassandra.local.datacenter'): boolean =>
    settings.get(key) !== undefined
  return {
    log: isSet('kafka.bootstrap.servers'),
    rows: isSet('cassandra.contact.points') || isSet('cassandra.local.datacenter'),
  }
}

/** A system that does not answer is a finding like any other; what a person has to correct first is not. */
async function asFindings(act: () => Promise<readonly Finding[]>): Promise<readonly Finding[]> {
  try {
    return await act()
  } catch (error) {
    if (!(error instanceof TidemarkError) || error.kind !== 'unreachable') throw error
    // Its message ends with what to do.
    return [{ level: 'fail', what: error.message, fix: null }]
  }
}

async function examineKafka(
  { io }: CommandContext,
  settings: ResolvedSettings,
  plan: Plan | null,
  { brokers }: RealWorld,
): Promise<readonly Finding[]> {
  if (brokers === null) return []
  const config = kafkaConfigOf(settings, brokers, plan?.longestWaitMs ?? 0, io.clock)
  const cluster = new KafkaCluster(config, io.clock, silentLogger)
  try {
    const inputs = plan?.sources.flatMap(({ topics }) => (topics.kind === 'topics' ? topics.topics : [])) ?? []
    const outputs = plan?.sinks.flatMap(({ spec }) => spec.topics) ?? []
    const changelog = plan === null ? [] : [changelogOf(plan.job)]
    const topics = [...new Set([...inputs, ...outputs, ...changelog])]
    const facts = await readKafkaFacts(cluster, { topics, groupId: plan?.groupId ?? null })
    const needs =
      plan === null
        ? null
        : {
            job: plan.job,
            groupId: plan.groupId,
            inputs,
            outputs,
            deadLetters: deadLetterTopics(plan),
            copartitioned: plan.stateful || plan.sources.length > 1,
            changelog: changelogOf(plan.job),
          }
    return [
      fine(`Kafka answers at ${brokers.map(formatHostPort).join(',')}`),
      ...judgeKafka(facts, config, needs),
      ...judgeTransactions(await openTransactions(cluster, facts, inputs), io.clock.now()),
      ...(plan === null ? [] : [...(await groupKind(cluster, plan.groupId)), ...(await nameFindings(cluster, plan))]),
    ]
  } finally {
    await cluster.close()
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
async function nameFindings(cluster: KafkaCluster, plan: Plan): Promise<readonly Finding[]> {
  const { job, groupId, transactionalIdPrefix } = plan
  const namesakes = await findNamesakes(cluster, { job, group: 'source', groupId, transactionalIdPrefix }, silentLogger)
  return namesakes.map((namesake) =>
    fault(
      `Consumer group ${namesake.groupId} works as job ${namesake.job}${namesake.job === job ? '' : `, with the transactional ids ${transactionalIdPrefix}-…`}, on ${namesake.hosts.join(', ')}`,
      'give this deployment a name of its own (--job.name=<name>), or stop those processes',
    ),
  )
}

async function examineCassandra(
  { io }: CommandContext,
  settings: ResolvedSettings,
  { cassandra }: RealWorld,
): Promise<readonly Finding[]> {
  if (cassandra === null) return []
  const config = cassandraConfigOf(settings, cassandra)
  const session = new DriverSession(config, io.clock, silentLogger)
  try {
    await session.connect()
    const facts = await readCassandraFacts(session, io.clock)
    const address = cassandra.contactPoints.map(formatHostPort).join(',')
    return [fine(`Cassandra answers at ${address}`), ...judgeCassandra(facts, config)]
  } finally {
    await session.close()
  }
}
