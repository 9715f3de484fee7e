import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { OpenedWorld, jobEnvironment } from '../composition.ts'
import { TidemarkError } from '../core/errors.ts'
import { within } from '../core/ports/clock.ts'
import { jobLogPort, type HeldLog, type JobLogs } from '../core/ports/jobLogs.ts'
import type { Logger } from '../core/ports/logger.ts'
import { systemRandom } from '../core/ports/random.ts'
import { topicsPort, type Topics } from '../core/ports/topics.ts'
import type { OutputRecord } from '../core/record.ts'
import { startDashboard } from '../dashboard/startDashboard.ts'
import { clearFile } from '../files/clearOwn.ts'
import { isRefusal, openDataDirectory } from '../files/openDataDirectory.ts'
import type { JobResult } from '../runtime/metrics/jobMetrics.ts'
import type { OutputExample, Sample } from '../runtime/plan/defineJob.ts'
import { JobMetrics } from '../runtime/metrics/jobMetrics.ts'
import { silentlyDifferent } from '../runtime/plan/silentlyDifferent.ts'
import { chooseWorld, joined, systemUnder, type World } from '../runtime/settings/chooseWorld.ts'
import type { ResolvedSettings } from '../runtime/settings/resolvedSettings.ts'
import { ownLogger, type CommandContext } from './commandContext.ts'
import { isConfirmed } from './confirm.ts'
import { deployment } from './loadJob.ts'
import {
  dataDirectoryFlag,
  dataDirectoryOf,
  namesUnder,
  portsOf,
  systemEnvironment,
  systemsOf,
  type SystemNames,
} from './openWorld.ts'
import { lossOfFresh, lossOfReset } from './output/losses.ts'
import { outputExamples, printSummary, reportPath } from './output/printSummary.ts'
import { shellWord } from './output/printer.ts'
import { runTasks, type RunRequest } from './runTasks.ts'
import { runWorkers } from './runWorkers.ts'

/** A run that has not reached for anything yet. */
interface PlannedRun extends RunRequest {
  readonly log: Logger
  readonly world: World
  /** Whether processes share the log: one that is chosen by its settings is shared, one that is always there is held. */
  readonly shared: boolean
  /** Absolute. */
  readonly dataDirectory: string
  /** The topics that the job writes, as far as the plan knows them. */
  readonly topics: readonly string[]
}

/**
 * Runs a job in the world that its settings choose, from its first line to its summary. The first signal finishes the
 * epochs, commits, and ends the run cleanly; a second one leaves at once, which loses nothing that was committed.
 */
export async function runInWorld(context: CommandContext, request: RunRequest): Promise<void> {
  const { io } = context
  const { loaded, settings, plan } = request
  const log = ownLogger(io, settings)
  const world = chooseWorld(settings, systemsOf(context, loaded), portsOf(plan))
  const shared = world.chosen.includes(systemUnder(world, jobLogPort))
  const topics = [...new Set(plan.sinks.flatMap(({ spec }) => spec.topics))]
  const run = { ...request, log, world, shared, dataDirectory: dataDirectoryOf(context, settings), topics }
  if (shared) refuseInSharedLog(request, world)
  else refuseInHeldLog(request, namesUnder(context.systems, jobLogPort))
  // A worker's lines would repeat those of the process that has started it.
  if (io.worker === null) {
    await context.out.line(startLine(run))
    await warnAtStart(context, run)
  }
  if (shared) await claimDataDirectory(context, run)
  const environment = systemEnvironment(context, settings, plan, { purpose: 'write', runs: plan.job, log })
  const opened = new OpenedWorld(world, settings, environment)
  // What is wrong with the settings of a system is said before any is reached.
  for (const system of world.chosen) opened.open(system)
  if (request.parallelism > 1 && io.worker === null) {
    const { result, code } = await runWorkers(io, request.parallelism, log)
    context.exit(code)
    if (result !== null) await finish(context, run, opened, { result, held: null, isSample: false })
    return
  }
  await runHere(context, run, opened)
}

/** What only a log that one process holds can do. Throws `invalid-input`. */
function refuseInSharedLog({ fresh, records, reset, parallelism }: RunRequest, { chosen, local }: World): void {
  const titles = joined(chosen.map(({ title }) => title))
  refuse([
    [
      fresh,
      `--fresh clears ${local.name} topics and tables; what stands in ${titles} is not ours to clear. Leave it out; --reset-offsets earliest reads everything again.`,
    ],
    [
      records !== null,
      `--records fills an empty ${local.name} directory; messages and rows are never made up in ${titles}. Leave it out.`,
    ],
    [
      reset !== null && parallelism > 1,
      '--reset-offsets begins every partition anew, once, and several processes would do it several times. Run it without --parallelism first, then without --reset-offsets.',
    ],
  ])
}

/** What only a log that processes share can do. Throws `invalid-input`. */
function refuseInHeldLog({ parallelism, restarting, skips }: RunRequest, { titles, keys, local }: SystemNames): void {
  const leaveOut = `eave it out, or set ${keys}.`
  refuse([
    [
      skips.length > 0,
      `--skip passes batches of ${titles} topics that cannot be read. What is written to an ${local} topic is within its limits, and damage is found before anything is read: look at it with npx tidemark store check. L${leaveOut}`,
    ],
    [
      restarting,
      `--restarting keeps the partitions of ${titles} topics for the process that is started next. In the ${local} world one process has all of them, whenever it is started: l${leaveOut}`,
    ],
    [
      parallelism > 1,
      `--parallelism starts processes that share the partitions of ${titles} topics. An ${local} log belongs to one process, which runs all of its partitions already: l${leaveOut}`,
    ],
  ])
}

function refuse(rules: readonly (readonly [isAsked: boolean, message: string])[]): void {
  for (const [isAsked, message] of rules) if (isAsked) throw new TidemarkError('invalid-input', message)
}

function startLine({ loaded, settings, follow, parallelism, plan, world, dataDirectory }: PlannedRun): string {
  const ends = follow
    ? 'runs until it is stopped (Ctrl-C)'
    : 'bounded run: ends where the input ends now (--follow goes on)'
  const systems = world.chosen.map((system) => `${system.title} at ${system.address(settings)}`)
  const beside = systems.length === 0 ? '' : `, with ${systems.join(' and ')}`
  const where =
    world.kind === world.local.name
      ? `${world.kind} world in ${dataDirectory} (${world.chosenBy})${beside}`
      : `real world, ${systems.join(' and ')}; set by ${world.chosenBy}`
  const workers = parallelism === 1 ? '' : `; ${String(parallelism)} workers`
  return `${deployment(plan, loaded)}: ${where}${workers}, ${ends}`
}

async function warnAtStart({ io }: CommandContext, { loaded, settings, plan, log }: PlannedRun): Promise<void> {
  for (const warning of settings.warnings) log.warn(warning)
  for (const warning of plan.warnings) log.warn(warning, { job: plan.job })
  const text = await readFile(path.resolve(io.directory, loaded.path), 'utf8')
  for (const { operator, effect, remedy } of silentlyDifferent(text)) {
    log.warn(`${operator} of rxjs ${effect}; what lasts is ${remedy}`, { job: plan.job })
  }
}

/** One that cannot be written is told of when something is to be written. */
async function claimDataDirectory({ err }: CommandContext, { dataDirectory }: PlannedRun): Promise<void> {
  const notes: string[] = []
  try {
    await openDataDirectory(dataDirectory, { purpose: 'write', note: (line) => notes.push(line) })
  } catch (error) {
    if (isRefusal(error)) throw error
  }
  for (const line of notes) await err.line(line)
}

/** Runs in this process the tasks that it is given. */
async function runHere(context: CommandContext, run: PlannedRun, opened: OpenedWorld): Promise<void> {
  const { io, out } = context
  const { settings, plan, log, world } = run
  const metrics = new JobMetrics(plan.job, io.clock)
  const logs = opened.provide(jobLogPort)
  const dashboard = await startDashboard({
    running: { metrics },
    ...dashboardPort(settings, io.worker?.index),
    log,
    secrets: settings.secrets,
    world: world.kind,
  })
  try {
    await logs.connect()
    const { held } = logs
    // Held and not served yet: what is asked about is what is lost.
    if (!(await mayBegin(context, run, opened, logs))) return
    if (held !== null && run.fresh) await clear(context, held)
    await held?.serve()
    const isSample = held !== null && (await loadSample(context, run, held))
    if (dashboard.address !== null) await out.line(`Live page: ${dashboard.address}`)
    const environment = jobEnvironment(logs, (port) => opened.provide(port), {
      clock: io.clock,
      random: systemRandom,
      log,
      dataDirectory: held?.path ?? run.dataDirectory,
      stateBackend: settings.get('state.backend'),
      slot: settings.get('state.slot') ?? null,
      controlAddress: dashboard.address,
    })
    let result: JobResult
    try {
      result = await runTasks(context, run, environment, { log, metrics })
    } finally {
      await environment.close()
    }
    if (io.worker !== null) await io.worker.report(result)
    else await finish(context, run, opened, { result, held, isSample })
  } finally {
    await Promise.all([logs.close(), dashboard.close()])
  }
}

/** A port that somebody chose is that one or an error; the default gives way. Workers take the ports above it. */
function dashboardPort(settings: ResolvedSettings, worker = 0): { readonly port: number; readonly explicit: boolean } {
  const port = settings.get('dashboard.port')
  return { port: port === 0 ? 0 : port + worker, explicit: settings.origin('dashboard.port') !== 'default' }
}

/** Positions may be moved only while nobody works from them. Throws `group-in-use`. */
async function mayBegin(
  context: CommandContext,
  { fresh, reset, ask, plan, dataDirectory }: PlannedRun,
  opened: OpenedWorld,
  logs: JobLogs,
): Promise<boolean> {
  if (logs.held !== null && fresh) return isConfirmed(context, await lossOfFresh(logs.held, dataDirectory), ask)
  if (reset === null) return true
  await logs.refuseLiveGroup?.(plan.groupId)
  return isConfirmed(context, await withTopics(opened, (topics) => lossOfReset(topics, plan)), ask)
}

async function withTopics<T>(opened: OpenedWorld, act: (topics: Topics) => Promise<T>): Promise<T> {
  const topics = opened.provide(topicsPort)
  try {
    await topics.connect()
    return await act(topics)
  } finally {
    await topics.close()
  }
}

async function clear({ err }: CommandContext, held: HeldLog): Promise<void> {
  for (const left of [...(await held.clear()), ...(await clearFile(reportPath(held.path)))]) {
    await err.line(`Left where it is, because Tidemark has not made it: ${left}`)
  }
}

/**
 * Fills an empty log with the job's sample, all of it or nothing, and resolves with whether it has. A directory that has data
 * is left as it is; there, and for a job without a sample, `--records` is refused with `invalid-input`.
 */
async function loadSample(
  { out }: CommandContext,
  { loaded: { job, path: file }, settings, records }: PlannedRun,
  held: HeldLog,
): Promise<boolean> {
  if (job.sample === undefined || !held.isEmpty()) {
    if (records === null) return false
    throw new TidemarkError(
      'invalid-input',
      job.sample === undefined
        ? `${file} has no sample to generate: leave --records out.`
        : '--records fills an empty data directory, and this one has data. Name another one with --data-dir, or add --fresh, which deletes all that is in this one.',
    )
  }
  const sample = job.sample({ records }, settings.job)
  let count = 0
  const counted = (): void => {
    count += 1
  }
  await held.loadSample({ records: sampleRecords(sample, counted), tables: sample.tables })
  const tables = sample.tables.length === 1 ? '1 table' : `${String(sample.tables.length)} tables`
  await out.line(`Loaded a sample into the empty directory: ${String(count)} messages and ${tables}`)
  return true
}

function* sampleRecords({ topics }: Sample, onRecord: () => void): Generator<OutputRecord> {
  for (const [topic, records] of Object.entries(topics)) {
    for (const { key, value, timestamp, partition } of records) {
      onRecord()
      yield {
        topic,
        partition: partition ?? null,
        key: typeof key === 'string' ? Buffer.from(key) : key,
        value: typeof value === 'string' ? Buffer.from(value) : value,
        headers: [],
        timestamp,
      }
    }
  }
}

interface EndedRun {
  readonly result: JobResult
  readonly held: HeldLog | null
  /** All that the log held was the sample. */
  readonly isSample: boolean
}

async function finish(context: CommandContext, run: PlannedRun, opened: OpenedWorld, ended: EndedRun): Promise<void> {
  const { world, shared, dataDirectory } = run
  await printSummary(context, run, {
    world: shared ? joined(world.chosen.map(({ title }) => title)) : world.local.name,
    dataDirectory,
    result: ended.result,
    outputs: await examplesOf(context, run, opened, ended),
    next: shared ? nextInSharedLog(context, run) : nextInHeldLog(context, run, ended),
  })
}

/** A broker that is silent does not keep a process that is done. */
const examplesLimitMs = 2_000

async function examplesOf(
  { io }: CommandContext,
  { log, topics: written }: PlannedRun,
  opened: OpenedWorld,
  { result, held }: EndedRun,
): Promise<readonly OutputExample[]> {
  if (held !== null) return withTopics(opened, (topics) => outputExamples(topics, written, 'first'))
  if (result.records === 0) return []
  const topics = opened.provide(topicsPort)
  const examples = outputExamples(topics, written, 'last').catch((error: unknown) => {
    // The run is done and committed; it only has no examples.
    log.warn('The output topics cannot be read for examples', { error })
    return []
  })
  const found = await within(io.clock, examplesLimitMs, examples, () => [])
  await topics.close()
  return found
}

/** Commands to copy, with the places as they were given as flags. */
function nextInSharedLog(
  { flags, systems }: CommandContext,
  { settings, loaded, topics }: PlannedRun,
): readonly string[] {
  const asGiven = (keys: readonly string[]): string =>
    keys
      .filter((key) => settings.origin(key) === 'flag')
      .map((key) => ` --${key}=${shellWord(flags.get(key) ?? '')}`)
      .join('')
  const places = asGiven(systems.flatMap(({ keys }) => keys))
  return [
    ...topics.map((topic) => `npx tidemark topic read ${topic} --limit 5${places}`),
    `npx tidemark doctor ${shellWord(loaded.path)}${asGiven(['job.name'])}${places}`,
  ]
}

/**
 * Commands to copy; they name the data directory where it is not the default one. To begin again is offered only where all
 * that would be deleted is the sample and what this run has made of it.
 */
function nextInHeldLog(
  context: CommandContext,
  { loaded, settings, topics }: PlannedRun,
  { isSample }: EndedRun,
): readonly string[] {
  const { io, flags } = context
  const where = dataDirectoryFlag(context, settings)
  const name = flags.get('job.name')
  const deployed = name === undefined ? where : `${where} --job.name=${shellWord(name)}`
  const isStart = io.environment['npm_lifecycle_event'] === 'start'
  return [
    ...topics.map((topic) => `npx tidemark topic read ${topic}${where}`),
    ...(isSample
      ? [isStart ? `npm start -- --fresh${deployed}` : `npx tidemark run ${shellWord(loaded.path)} --fresh${deployed}`]
      : []),
  ]
}
