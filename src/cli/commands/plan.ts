import type { Command } from 'commander'
import { commandJob, withCommonOptions, type CommandContext, type CommonOptions } from '../commandContext.ts'
import { deployment } from '../loadJob.ts'
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
      const { loaded, plan } = await commandJob(context, options, file)
      const [title = '', ...lines] = planText(
        plan,
        drawingFor(out.isTerminal, io.environment),
        deployment(plan, loaded),
      )
      await out.line(out.style('bold', title))
      for (const line of lines) await out.line(line)
    })
}
