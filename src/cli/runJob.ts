import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { TidemarkError } from '../core/errors.ts'
import type { Logger } from '../core/ports/logger.ts'
import { formatHostPort } from '../core/settingCodecs.ts'
import type { Plan } from '../runtime/plan/plan.ts'
import { chooseWorld, type World } from '../runtime/settings/chooseWorld.ts'
import { silentlyDifferent } from '../runtime/plan/silentlyDifferent.ts'
import type { CommandContext } from './commandContext.ts'
import { deployment } from './deployment.ts'
import { ownLogger } from './ownLogger.ts'
import { planOf, worldNeeds } from './commands/plan.ts'
import { runEmbedded } from './runEmbedded.ts'
import { refuseInRealWorld, runReal } from './runReal.ts'
import type { RunRequest } from './runRequest.ts'

/**
 * Runs a job in the world that its settings choose, from its first line to its summary. The first signal finishes the
 * epochs, commits, and ends the run cleanly; a second one leaves at once, which loses nothing that was committed.
 */
export async function runJob(context: CommandContext, request: RunRequest): Promise<void> {
  const { io } = context
  const { loaded, settings } = request
  const log = ownLogger(context.io, settings)
  const plan = planOf(loaded, settings, context)
  const dataDirectory = path.resolve(io.directory, settings.get('data.dir'))
  const world = chooseWorld(settings, worldNeeds(plan))
  if (world.kind === 'real') refuseInRealWorld(request)
  else refuseInEmbeddedWorld(request)
  // A worker's lines would repeat those of the process that has started it.
  if (io.worker === null) {
    await context.out.line(startLine(request, plan, world, dataDirectory))
    await warn(context, request, plan, log)
  }
  const topics = [...new Set(plan.sinks.flatMap(({ spec }) => spec.topics))]
  const place = { plan, log, dataDirectory, topics }
  if (world.kind === 'real') await runReal(context, request, place, world)
  else await runEmbedded(context, request, place)
}

function refuseInEmbeddedWorld({ parallelism, restarting, skips }: RunRequest): void {
  if (skips.length > 0) {
    throw new TidemarkError(
      'invalid-input',
      '--skip passes batches of Kafka topics that cannot be read. What is written to an embedded topic is within its limits, and damage is found before anything is read: look at it with npx tidemark store check. Leave it out, or set kafka.bootstrap.servers.',
    )
  }
  if (restarting) {
    throw new TidemarkError(
      'invalid-input',
      '--restarting keeps the partitions of Kafka topics for the process that is started next. In the embedded world one process has all of them, whenever it is started: leave it out, or set kafka.bootstrap.servers.',
    )
  }
  if (parallelism === 1) return
  throw new TidemarkError(
    'invalid-input',
    '--parallelism starts processes that share the partitions of Kafka topics. An embedded log belongs to one process, which runs all of its partitions already: leave it out, or set kafka.bootstrap.servers.',
  )
}

function startLine(
  { loaded, follow, parallelism }: RunRequest,
  plan: Plan,
  world: World,
  dataDirectory: string,
): string {
  const ends = follow
    ? 'runs until it is stopped (Ctrl-C)'
    : 'bounded run: ends where the input ends now (--follow goes on)'
  const where =
    world.kind === 'embedded'
      ? `embedded world in ${dataDirectory} (${world.chosenBy})`
      : `real world, ${systemsOf(world)}; set by ${world.chosenBy}`
  const workers = parallelism === 1 ? '' : `; ${String(parallelism)} workers`
  return `${deployment(plan, loaded)}: ${where}${workers}, ${ends}`
}

/** `Kafka at host:9092 and Cassandra at host:9042, datacenter1`. */
function systemsOf({ brokers, cassandra }: World & { readonly kind: 'real' }): string {
  return [
    ...(brokers === null ? [] : [`Kafka at ${brokers.map(formatHostPort).join(',')}`]),
    ...(cassandra === null
      ? []
      : [`Cassandra at ${cassandra.contactPoints.map(formatHostPort).join(',')}, ${cassandra.localDatacenter}`]),
  ].join(' and ')
}

async function warn({ io }: CommandContext, { loaded, settings }: RunRequest, plan: Plan, log: Logger): Promise<void> {
  for (const warning of settings.warnings) log.warn(warning)
  for (const warning of plan.warnings) log.warn(warning, { job: plan.job })
  const text = await readFile(path.resolve(io.directory, loaded.path), 'utf8')
  for (const { operator, effect, remedy } of silentlyDifferent(text)) {
    log.warn(`${operator} of rxjs ${effect}; what lasts is ${remedy}`, { job: plan.job })
  }
}
