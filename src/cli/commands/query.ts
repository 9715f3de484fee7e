import type { Command } from 'commander'
import { TidemarkError } from '../../core/errors.ts'
import { queryPort, tablesPort } from '../../core/ports/tables.ts'
import { visibleJson } from '../../core/visible.ts'
import { chooseWorld } from '../../runtime/settings/chooseWorld.ts'
import { settingsOf, withCommonOptions, type CommandContext, type CommonOptions } from '../commandContext.ts'
import { namesUnder, withClient } from '../openWorld.ts'

/** `tidemark query '<statement>'`: one statement, run as it stands. */
export function addQueryCommand(program: Command, context: CommandContext): void {
  const { titles, keys } = namesUnder(context.systems, queryPort)
  const { local } = namesUnder(context.systems, tablesPort)
  withCommonOptions(program.command('query'))
    .argument('<statement>', `one statement in the language of ${titles}`)
    .summary(`run one statement in ${titles} and print its rows`)
    .description(
      `Connects to ${titles} as a job does, runs one statement, and prints its rows in the row encoding, one a line.\nThe statement is run as it stands: one that writes, writes.`,
    )
    .addHelpText('after', '\nExample:\n  tidemark query "SELECT * FROM ks1.users WHERE user_id = \'1\'"')
    .action(async (statement: string, options: CommonOptions) => {
      const { out, err } = context
      if (chooseWorld(settingsOf(context, options, null), context.systems, [queryPort]).chosen.length === 0) {
        throw new TidemarkError(
          'invalid-input',
          `query runs a statement in ${titles}, and the ${local} tables take none: set ${keys}, or use \`tidemark table read\`.`,
        )
      }
      await withClient(context, options, { port: queryPort, purpose: 'read' }, async (client) => {
        const { columns, rows } = await client.query(statement)
        let count = 0
        for await (const { encoded } of rows) {
          count += 1
          await out.data(Buffer.from(`${out.isTerminal ? visibleJson(encoded) : encoded}\n`))
        }
        // Apart from the rows, so that those can go into a file.
        if (out.isTerminal || columns.length === 0) {
          await err.line(columns.length === 0 ? 'Done; the statement has no rows.' : `${String(count)} rows`)
        }
      })
    })
}
