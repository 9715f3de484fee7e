import type { Command } from 'commander'
import { cassandraConfigOf } from '../../composition.ts'
import { queryCassandra } from '../../connectors/cassandra/lookup/cqlQuery.ts'
import { DriverSession } from '../../connectors/cassandra/client/driverSession.ts'
import { TidemarkError } from '../../core/errors.ts'
import { visibleJson } from '../../core/visible.ts'
import { silentLogger } from '../../core/ports/logger.ts'
import { chooseWorld } from '../../runtime/settings/chooseWorld.ts'
import { settingsOf, type CommandContext, type CommonOptions } from '../commandContext.ts'
import { withCommonOptions } from '../commonOptions.ts'

/** `tidemark query '<cql>'`: one statement, run as it stands. */
export function addQueryCommand(program: Command, context: CommandContext): void {
  withCommonOptions(program.command('query'))
    .argument('<cql>', 'one CQL statement')
    .summary('run one CQL statement in Cassandra and print its rows')
    .description(
      'Connects to Cassandra as a job does, runs one CQL statement, and prints its rows in the row encoding, one a line.\nThe statement is run as it stands: one that writes, writes.',
    )
    .addHelpText('after', '\nExample:\n  tidemark query "SELECT * FROM ks1.users WHERE user_id = \'1\'"')
    .action(async (cql: string, options: CommonOptions) => {
      const { io, out, err } = context
      const settings = settingsOf(context, options, null)
      const world = chooseWorld(settings, { log: false, rows: true })
      if (world.kind === 'embedded' || world.cassandra === null) {
        throw new TidemarkError(
          'invalid-input',
          'query runs CQL in Cassandra, and the embedded tables have no CQL: set cassandra.contact.points and cassandra.local.datacenter, or use `tidemark table read`.',
        )
      }
      const session = new DriverSession(cassandraConfigOf(settings, world.cassandra), io.clock, silentLogger)
      try {
        await session.connect()
        const { columns, rows } = await queryCassandra(session, cql)
        let count = 0
        for await (const { encoded } of rows) {
          count += 1
          await out.data(Buffer.from(`${out.isTerminal ? visibleJson(encoded) : encoded}\n`))
        }
        // Apart from the rows, so that those can go into a file.
        if (out.isTerminal || columns.length === 0) {
          await err.line(columns.length === 0 ? 'Done; the statement has no rows.' : `${String(count)} rows`)
        }
      } finally {
        await session.close()
      }
    })
}
