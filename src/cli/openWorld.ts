import path from 'node:path'
import { OpenedWorld } from '../composition.ts'
import { TidemarkError } from '../core/errors.ts'
import { jobLogPort } from '../core/ports/jobLogs.ts'
import { silentLogger } from '../core/ports/logger.ts'
import type { Port, Resource } from '../core/ports/port.ts'
import { systemRandom } from '../core/ports/random.ts'
import type { System, SystemEnvironment } from '../core/ports/system.ts'
import { checkpointOf } from '../runtime/job/runOptions.ts'
import type { Plan } from '../runtime/plan/plan.ts'
import { chooseWorld, joined, type World } from '../runtime/settings/chooseWorld.ts'
import type { ResolvedSettings } from '../runtime/settings/resolvedSettings.ts'
import { settingsOf, type CommandContext, type CommandJob, type CommonOptions } from './commandContext.ts'
import type { LoadedJob } from './loadJob.ts'
import { shellWord } from './output/printer.ts'

/** The systems of a command, with those that its job brings along. */
export function systemsOf({ systems }: Pick<CommandContext, 'systems'>, loaded: LoadedJob | null): readonly System[] {
  return [...systems, ...(loaded?.job.systems ?? [])]
}

/** How help and errors speak of the systems under a port. */
export interface SystemNames {
  /** Of those that their settings choose: `Kafka and Cassandra`. */
  readonly titles: string
  /** Where they are set. */
  readonly places: string
  /** All that they need. */
  readonly keys: string
  /** Of the one that stands in for them. */
  readonly local: string
}

export function namesUnder(systems: readonly System[], ...ports: readonly Port<Resource>[]): SystemNames {
  const here = systems.filter((system) => ports.some((port) => system.ports.includes(port)))
  const chosen = here.filter(({ keys }) => keys.length > 0)
  return {
    titles: joined(chosen.map(({ title }) => title)),
    places: joined(chosen.flatMap(({ keys }) => keys.slice(0, 1))),
    keys: joined(chosen.flatMap(({ keys }) => keys)),
    local: here.find(({ keys }) => keys.length === 0)?.name ?? '',
  }
}

/** What a job of this plan uses. */
export function portsOf(plan: Plan): readonly Port<Resource>[] {
  const usesLog = plan.sources.length > 0 || plan.sinks.length > 0
  return usesLog ? [jobLogPort, ...plan.ports] : plan.ports
}

/** `data.dir`, absolute. */
export function dataDirectoryOf({ io }: Pick<CommandContext, 'io'>, settings: ResolvedSettings): string {
  return path.resolve(io.directory, settings.get('data.dir'))
}

/** The data directory as a flag of a command to copy, where it is not the default one. */
export function dataDirectoryFlag(context: Pick<CommandContext, 'io'>, settings: ResolvedSettings): string {
  return settings.origin('data.dir') === 'default' ? '' : ` --data-dir ${shellWord(dataDirectoryOf(context, settings))}`
}

/** What a command opens systems in; `plan`: the job's that they are opened for. */
export function systemEnvironment(
  { io, err }: CommandContext,
  settings: ResolvedSettings,
  plan: Plan | null,
  how: Pick<SystemEnvironment, 'purpose'> & Partial<Pick<SystemEnvironment, 'log' | 'runs'>>,
): SystemEnvironment {
  return {
    clock: io.clock,
    random: systemRandom,
    log: silentLogger,
    dataDirectory: dataDirectoryOf({ io }, settings),
    epochTimes: () => ({ ...checkpointOf(settings), longestWaitMs: plan?.longestWaitMs ?? 0 }),
    runs: null,
    note: (line) => void err.line(line),
    ...how,
  }
}

/** What is opened: the systems of which ports, under which settings, for which job. */
interface WorldRequest extends Pick<SystemEnvironment, 'purpose'> {
  readonly settings: ResolvedSettings
  readonly systems: readonly System[]
  readonly ports: readonly Port<Resource>[]
  readonly plan: Plan | null
}

/**
 * Chooses the world of a command and opens it, and closes it after the act. Throws `mixed-worlds`, and `system-unreachable`
 * when a system does not answer.
 */
export async function withWorld<T>(
  context: CommandContext,
  { settings, systems, ports, plan, purpose }: WorldRequest,
  act: (opened: OpenedWorld, world: World) => Promise<T>,
): Promise<T> {
  const world = chooseWorld(settings, systems, ports)
  const opened = new OpenedWorld(world, settings, systemEnvironment(context, settings, plan, { purpose }))
  try {
    return await act(opened, world)
  } finally {
    await opened.close()
  }
}

/** Opens the world that a job would run in, besides what the command itself uses, and closes it after the act. */
export async function withWorldOf<T>(
  context: CommandContext,
  { loaded, settings, plan }: CommandJob,
  act: (opened: OpenedWorld) => Promise<T>,
): Promise<T> {
  const systems = systemsOf(context, loaded)
  return withWorld(context, { settings, systems, ports: portsOf(plan), plan, purpose: 'read' }, act)
}

/**
 * Connects what a command without a job works on, in the world that the settings choose, and closes it after the act. The
 * embedded store is opened for each call, or asked through the process that holds it, and a job that wants to start waits
 * for that: so nobody waits for input or output meanwhile.
 */
export async function withClient<Client extends Resource, T>(
  context: CommandContext,
  options: CommonOptions,
  { port, purpose }: { readonly port: Port<Client> } & Pick<SystemEnvironment, 'purpose'>,
  act: (client: Client) => Promise<T>,
): Promise<T> {
  const settings = settingsOf(context, options, null)
  const { systems } = context
  return withWorld(context, { settings, systems, ports: [port], plan: null, purpose }, async (opened) =>
    act(await opened.connected(port)),
  )
}

/** Connects what the job uses; the call that is returned gives it. */
export async function clientsOf(world: OpenedWorld, plan: Plan): Promise<<T extends Resource>(port: Port<T>) => T> {
  const clients = new Map<string, Resource>()
  for (const port of plan.ports) clients.set(port.name, await world.connected(port))
  return <T extends Resource>(port: Port<T>): T => {
    const client = clients.get(port.name)
    if (client === undefined) {
      throw new TidemarkError('invalid-plan', `This command cannot provide ${port.name}, which the job uses.`)
    }
    // A port's name stands for its type.
    return client as T
  }
}
