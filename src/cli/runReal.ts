import { cassandraConfigOf, kafkaConfigOf, realEnvironment } from '../composition.ts'
import { describeConsumerGroup } from '../connectors/kafka/group/consumerGroup.ts'
import { KafkaCluster } from '../connectors/kafka/client/kafkaCluster.ts'
import type { KafkaConfig } from '../connectors/kafka/config/kafkaConfig.ts'
import { KafkaTopics } from '../connectors/kafka/topics/kafkaTopics.ts'
import { atMost } from '../core/ports/clock.ts'
import { TidemarkError } from '../core/errors.ts'
import { systemRandom } from '../core/ports/random.ts'
import { startDashboard } from '../dashboard/startDashboard.ts'
import { isRefusal, openDataDirectory } from '../files/openDataDirectory.ts'
import { silentLogger } from '../core/ports/logger.ts'
import { JobMetrics } from '../runtime/metrics/jobMetrics.ts'
import type { Plan } from '../runtime/plan/plan.ts'
import type { JobResult } from '../runtime/job/progress.ts'
import type { World } from '../runtime/settings/chooseWorld.ts'
import type { OutputExample } from '../runtime/job/summary.ts'
import type { CommandContext } from './commandContext.ts'
import { isConfirmed } from './confirm.ts'
import { lossOfReset } from './output/losses.ts'
import { outputExamples, printSummary } from './output/printSummary.ts'
import { quoted } from './output/quoted.ts'
import { dashboardPort, type RunPlace } from './runPlace.ts'
import type { RunRequest } from './runRequest.ts'
import { runTasks } from './runTasks.ts'
import { runWorkers } from './runWorkers.ts'

export type RealWorld = World & { readonly kind: 'real' }

/** What only the embedded world can do. Throws `invalid-input`. */
export function refuseInRealWorld({ fresh, records, reset, parallelism }: RunRequest): void {
  const refuse = (message: string): never => {
    throw new TidemarkError('invalid-input', message)
  }
  if (fresh) {
    refuse(
      '--fresh clears embedded topics and tables; what stands in Kafka and Cassandra is not ours to clear. Leave it out; --reset-offsets earliest reads everything again.',
    )
  }
  if (records !== null) {
    refuse(
      '--records fills an empty embedded directory; messages and rows are never made up in Kafka and Cassandra. Leave it out.',
    )
  }
  if (reset !== null && parallelism > 1) {
    refuse(
      '--reset-offsets begins every partition anew, once, and several processes would do it several times. Run it without --parallelism first, then without --reset-offsets.',
    )
  }
}

/** Runs a job on Kafka and Cassandra, in this process or in several workers. */
export async function runReal(
  context: CommandContext,
  request: RunRequest,
  place: RunPlace,
  world: RealWorld,
): Promise<void> {
  const { io } = context
  const { settings } = request
  await claimDataDirectory(context, place)
  const brokers = world.brokers
  const kafka = brokers === null ? null : kafkaConfigOf(settings, brokers, place.plan.longestWaitMs, io.clock)
  const cassandra = world.cassandra === null ? null : cassandraConfigOf(settings, world.cassandra)
  const systems = { kafka, cassandra }
  if (request.parallelism > 1 && io.worker === null) {
    const { result, code } = await runWorkers(io, request.parallelism, place.log)
    context.exit(code)
    if (result !== null) await finish(context, request, place, { kafka, result })
    return
  }
  if (kafka !== null && request.reset !== null) {
    await refuseLiveGroup(kafka, place.plan.groupId, context)
    if (!(await mayReset(kafka, place.plan, request, context))) return
  }
  const result = await runHere(context, request, place, systems)
  if (io.worker !== null) await io.worker.report(result)
  else await finish(context, request, place, { kafka, result })
}

/** One that cannot be written is told of when something is to be written. */
async function claimDataDirectory({ err }: CommandContext, { dataDirectory }: RunPlace): Promise<void> {
  const notes: string[] = []
  try {
    await openDataDirectory(dataDirectory, { purpose: 'write', note: (line) => notes.push(line) })
  } catch (error) {
    if (isRefusal(error)) throw error
  }
  for (const line of notes) await err.line(line)
}

async function runHere(
  context: CommandContext,
  request: RunRequest,
  { plan, log, dataDirectory }: RunPlace,
  systems: Pick<Parameters<typeof realEnvironment>[0], 'kafka' | 'cassandra'>,
): Promise<JobResult> {
  const { io, out } = context
  const { settings } = request
  const metrics = new JobMetrics(plan.job, io.clock)
  const port = dashboardPort(settings, io.worker?.index)
  const dashboard = await startDashboard({
    running: { metrics },
    ...port,
    log,
    secrets: settings.secrets,
    world: 'real',
  })
  const environment = realEnvironment({
    ...systems,
    clock: io.clock,
    random: systemRandom,
    log,
    dataDirectory,
    stateBackend: settings.get('state.backend'),
    slot: settings.get('state.slot') ?? null,
    controlAddress: dashboard.address,
  })
  try {
    if (dashboard.address !== null) await out.line(`Live page: ${dashboard.address}`)
    return await runTasks(context, request, environment, { log, metrics })
  } finally {
    await environment.close()
    await dashboard.close()
  }
}

/** Positions may be moved only while nobody works from them. Throws `group-in-use`. */
async function refuseLiveGroup(kafka: KafkaConfig, groupId: string, { io }: CommandContext): Promise<void> {
  const cluster = new KafkaCluster(kafka, io.clock, silentLogger)
  try {
    await cluster.metadata([])
    const { members } = await describeConsumerGroup(cluster, groupId)
    if (members.length === 0) return
    const who = members.map(({ job, clientId, clientHost }) => `${job ?? clientId} on ${clientHost.replace(/^\//, '')}`)
    throw new TidemarkError(
      'group-in-use',
      `--reset-offsets moves the positions of consumer group ${groupId}, and ${members.length === 1 ? 'a process works' : `${String(members.length)} processes work`} from them: ${who.join(', ')}. Stop ${members.length === 1 ? 'it' : 'them'} first; one that has died leaves the group after kafka.session.timeout.ms (${String(kafka.sessionTimeoutMs)} ms).`,
      { details: { groupId } },
    )
  } finally {
    await cluster.close()
  }
}

async function mayReset(
  kafka: KafkaConfig,
  plan: Plan,
  { ask }: RunRequest,
  context: CommandContext,
): Promise<boolean> {
  const topics = new KafkaTopics(kafka, { clock: context.io.clock, log: silentLogger })
  try {
    return await isConfirmed(context, await lossOfReset(topics, plan), ask)
  } finally {
    await topics.close()
  }
}

/** A broker that is silent does not keep a process that is done. */
const examplesLimitMs = 2_000

async function finish(
  context: CommandContext,
  request: RunRequest,
  { dataDirectory, topics, log }: RunPlace,
  { kafka, result }: { readonly kafka: KafkaConfig | null; readonly result: JobResult },
): Promise<void> {
  const { settings, loaded } = request
  const asGiven = (keys: readonly string[]): string =>
    keys
      .filter((key) => settings.origin(key) === 'flag')
      .map((key) => ` --${key}=${quoted(context.flags.get(key) ?? '')}`)
      .join('')
  const flags = asGiven(['kafka.bootstrap.servers', 'cassandra.contact.points', 'cassandra.local.datacenter'])
  let outputs: readonly OutputExample[] = []
  if (kafka !== null && result.records > 0) {
    const store = new KafkaTopics(kafka, { clock: context.io.clock, log: silentLogger })
    const read = outputExamples(store, topics, 'last').then(
      (examples) => {
        outputs = examples
      },
      (error: unknown) => {
        // The run is done and committed; it only has no examples.
        log.warn('The output topics cannot be read for examples', { error })
      },
    )
    await atMost(context.io.clock, examplesLimitMs, read)
    await store.close()
  }
  await printSummary(context, request, {
    world: 'Kafka and Cassandra',
    dataDirectory,
    result,
    outputs,
    next: [
      ...topics.map((topic) => `npx tidemark topic read ${topic} --limit 5${flags}`),
      `npx tidemark doctor ${quoted(loaded.path)}${asGiven(['job.name'])}${flags}`,
    ],
  })
}
