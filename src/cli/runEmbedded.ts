import path from 'node:path'
import { embeddedEnvironment } from '../composition.ts'
import type { EmbeddedStore } from '../connectors/embedded/store/embeddedStore.ts'
import { holdForJob, type HeldDirectory } from '../connectors/embedded/shared/heldDirectory.ts'
import { systemRandom } from '../core/ports/random.ts'
import { startDashboard } from '../dashboard/startDashboard.ts'
import { clearFile, clearLocalState } from '../files/clearOwn.ts'
import { JobMetrics } from '../runtime/metrics/jobMetrics.ts'
import type { CommandContext } from './commandContext.ts'
import { isConfirmed } from './confirm.ts'
import { loadSample } from './loadSample.ts'
import { lossOfFresh, lossOfReset } from './output/losses.ts'
import { outputExamples, printSummary } from './output/printSummary.ts'
import { quoted } from './output/quoted.ts'
import { reportPath } from './commands/report.ts'
import { dashboardPort, type RunPlace } from './runPlace.ts'
import type { RunRequest } from './runRequest.ts'
import { runTasks } from './runTasks.ts'

/** Runs a job on the log and the tables of its data directory, which is held until the run has ended. */
export async function runEmbedded(context: CommandContext, request: RunRequest, place: RunPlace): Promise<void> {
  const { io } = context
  const { settings } = request
  const { plan, log, dataDirectory, topics } = place
  const partitions = settings.get('embedded.partitions')
  const metrics = new JobMetrics(plan.job, io.clock)
  const dashboard = await startDashboard({
    running: { metrics },
    ...dashboardPort(settings),
    log,
    secrets: settings.secrets,
    world: 'embedded',
  })
  try {
    const notes: string[] = []
    const note = (line: string): void => void notes.push(line)
    const held = await holdForJob(dataDirectory, plan.job, { clock: io.clock, partitions, note })
    try {
      const { store } = held
      for (const line of notes) await context.err.line(line)
      // Held and not served yet: what is asked about is what is lost.
      if (!(await mayBegin(context, request, place, store))) return
      if (request.fresh) {
        for (const left of await clear(held)) {
          await context.err.line(`Left where it is, because Tidemark has not made it: ${left}`)
        }
      }
      await held.serve()
      const isSample = await loadSample(context, request, store)
      if (dashboard.address !== null) await context.out.line(`Live page: ${dashboard.address}`)
      const environment = embeddedEnvironment(store, {
        clock: io.clock,
        random: systemRandom,
        log,
        dataDirectory: held.path,
        stateBackend: settings.get('state.backend'),
      })
      const result = await runTasks(context, request, environment, { log, metrics })
      await printSummary(context, request, {
        world: 'embedded',
        dataDirectory,
        result,
        outputs: await outputExamples(store, topics, 'first'),
        next: nextCommands(context, request, place, isSample),
      })
    } finally {
      await held.close()
    }
  } finally {
    await dashboard.close()
  }
}

async function mayBegin(
  context: CommandContext,
  { fresh, reset, ask }: RunRequest,
  { plan, dataDirectory }: RunPlace,
  store: EmbeddedStore,
): Promise<boolean> {
  if (fresh) return isConfirmed(context, await lossOfFresh(store, dataDirectory), ask)
  return reset === null || isConfirmed(context, await lossOfReset(store, plan), ask)
}

/** Local state is a cache of the changelog, which is cleared with the log. Gives what stands there and is not Tidemark's. */
async function clear({ store, path: directory }: HeldDirectory): Promise<readonly string[]> {
  await store.clear()
  const left = await clearLocalState(path.join(directory, 'embedded'))
  return [...left, ...(await clearFile(reportPath(directory)))]
}

/**
 * Commands to copy; they name the data directory where it is not the default one. To begin again is offered only where all
 * that would be deleted is the sample and what this run has made of it.
 */
function nextCommands(
  { io, flags }: CommandContext,
  { loaded, settings }: RunRequest,
  { topics, dataDirectory }: RunPlace,
  isSample: boolean,
): readonly string[] {
  const where = settings.origin('data.dir') === 'default' ? '' : ` --data-dir ${quoted(dataDirectory)}`
  const name = flags.get('job.name')
  const deployed = name === undefined ? where : `${where} --job.name=${quoted(name)}`
  const isStart = io.environment['npm_lifecycle_event'] === 'start'
  return [
    ...topics.map((topic) => `npx tidemark topic read ${topic}${where}`),
    ...(isSample
      ? [isStart ? `npm start -- --fresh${deployed}` : `npx tidemark run ${quoted(loaded.path)} --fresh${deployed}`]
      : []),
  ]
}
