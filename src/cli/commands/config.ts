import type { Command } from 'commander'
import { alignColumns } from '../output/printer.ts'
import { jobOf, settingsOf, withCommonOptions, type CommandContext, type CommonOptions } from '../commandContext.ts'

/** `tidemark config [job]`: every setting with its value, where it came from, and what it means. */
export function addConfigCommand(program: Command, context: CommandContext): void {
  withCommonOptions(program.command('config'))
    .argument('[job]', 'job file, whose own settings are then listed too')
    .option('--follow', 'as for `run --follow`, which has another default restart strategy')
    .summary('print all settings with value, origin and meaning')
    .description(
      'Prints every setting with its value, where the value comes from, and its meaning. Secrets are masked.\nStrongest first: flag, environment, properties file, job file, default.',
    )
    .addHelpText(
      'after',
      `
Examples:
  tidemark config
  tidemark config jobs/reconcile.ts --reconcile.shape=composite
  CHECKPOINT_INTERVAL_MS=30000 tidemark config jobs/reconcile.ts`,
    )
    .action(async (file: string | undefined, options: CommonOptions & { readonly follow?: boolean }) => {
      const loaded = file === undefined ? null : await jobOf(context, file)
      const settings = settingsOf(context, options, loaded, options.follow ?? false)
      const { out } = context
      for (const warning of settings.warnings) await context.err.line(`Warning: ${warning}`)
      const rows = settings.entries().map(({ key, value, origin, meaning }) => [key, value || '-', origin, meaning])
      const [head = '', ...lines] = alignColumns([['KEY', 'VALUE', 'ORIGIN', 'MEANING'], ...rows])
      await out.line(out.style('bold', head))
      for (const [i, line] of lines.entries()) {
        const isDefault = ['default', 'not set'].includes(rows[i]?.[2] ?? '')
        await out.line(isDefault ? line : out.style('green', line))
      }
    })
}
