import type { Command } from 'commander'
import { systemRandom } from '../../core/ports/random.ts'
import { silentLogger } from '../../core/ports/logger.ts'
import { planJob, type Plan } from '../../runtime/plan/plan.ts'
import { runnableJob } from '../../runtime/plan/runnableJob.ts'
import type { ResolvedSettings } from '../../runtime/settings/resolvedSettings.ts'
import {
  jobOf,
  limitsOf,
  settingsOf,
  withCommonOptions,
  type CommandContext,
  type CommonOptions,
} from '../commandContext.ts'
import { deployment, type LoadedJob } from '../loadJob.ts'
import { drawingFor, planText } from '../output/planText.ts'

/** `tidemark plan <job>`: the graph of the job, with nothing read and nothing connected. */
export function addPlanCommand(program: Command, context: CommandContext): void {
  withCommonOptions(program.command('plan'))
    .argument('<job>', 'job file')
    .summary("print a job's steps, sources, sinks and uids as a graph")
    .description(
      'Plans the job as `run` does, and prints what it is made of: sources, steps, sinks, side outputs and uids.\nNothing is read or connected. Stock RxJS operators do not register and are not shown.',
    )
    .addHelpText('after', '\nExample:\n  tidemark plan jobs/reconcile.ts')
    .action(async (file: string, options: CommonOptions) => {
      const { out, io } = context
      const loaded = await jobOf(context, file)
      const plan = planOf(loaded, settingsOf(context, options, loaded), context)
      const [title = '', ...lines] = planText(
        plan,
        drawingFor(out.isTerminal, io.environment),
        deployment(plan, loaded),
      )
      await out.line(out.style('bold', title))
      for (const line of lines) await out.line(line)
    })
}

/** The plan of a job under these settings. Throws `invalid-plan` or an operator's `invalid-argument`. */
export function planOf({ job }: LoadedJob, settings: ResolvedSettings, context: CommandContext): Plan {
  return planJob(runnableJob(job, settings), {
    clock: context.io.clock,
    random: systemRandom,
    log: silentLogger,
    limits: limitsOf(settings),
  })
}
