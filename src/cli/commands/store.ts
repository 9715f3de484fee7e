import path from 'node:path'
import type { Command } from 'commander'
import { storeCarePort, type StoreReportPart } from '../../core/ports/storeCare.ts'
import { visible } from '../../core/visible.ts'
import { settingsOf, withCommonOptions, type CommandContext, type CommonOptions } from '../commandContext.ts'
import { dataDirectoryFlag, namesUnder, withClient } from '../openWorld.ts'

const care = { port: storeCarePort, purpose: 'read' } as const

/** `tidemark store check | salvage`. */
export function addStoreCommand(program: Command, context: CommandContext): void {
  const { local } = namesUnder(context.systems, storeCarePort)
  const store = program
    .command('store')
    .summary(`check the ${local} store, and save what is whole of a damaged one`)
    .description(
      `Reads the files of the ${local} world in the data directory, without opening them as a job does. For a directory\nthat nobody uses: stop the job first.`,
    )
  addCheck(store, context)
  addSalvage(store, context)
}

function addCheck(store: Command, context: CommandContext): void {
  withCommonOptions(store.command('check'))
    .summary('verify every file and every value; changes nothing')
    .description(
      'Verifies every file and every value of the store, prints what is there and what is damaged, and changes\nnothing. Ends with 0 when everything is whole, with 1 when something is damaged.',
    )
    .addHelpText('after', '\nExample:\n  tidemark store check --data-dir /var/lib/orders')
    .action(async (options: CommonOptions) => {
      const { out } = context
      const { parts, damages } = await withClient(context, options, care, (client) => client.check())
      await printParts(context, parts)
      for (const damage of damages) await out.line(`Damaged: ${visible(damage)}`)
      if (damages.length === 0) await out.line('Everything is whole.')
      else {
        const where = dataDirectoryFlag(context, settingsOf(context, options, null))
        await out.line(`Copy what is whole with: npx tidemark store salvage <new directory>${where}`)
        context.exit(1)
      }
    })
}

function addSalvage(store: Command, context: CommandContext): void {
  withCommonOptions(store.command('salvage'))
    .argument('<directory>', 'data directory for the copy; new, or empty')
    .summary('copy what is whole of a damaged store into a new data directory')
    .description(
      'Copies all records, positions and rows that are whole into a new data directory, and lists what is missing. The\ndamaged one is only read. Offsets keep their meaning: whoever reads where records are lost is stopped with data-removed.',
    )
    .addHelpText(
      'after',
      `
A changelog of which anything may be missing is copied empty, so that its job stops and asks for --reset-offsets; a
table of which rows may be missing is copied as <table>_salvaged, so that no lookup takes a lost row for one that never was.

Example:
  tidemark store salvage /var/lib/orders-salvaged --data-dir /var/lib/orders`,
    )
    .action(async (to: string, options: CommonOptions) => {
      const { io, out } = context
      const target = path.resolve(io.directory, to)
      const copied = await withClient(context, options, care, (client) => client.salvage(target))
      for (const damage of copied.damages) await out.line(`Damaged: ${visible(damage)}`)
      await printParts(context, copied.parts)
      await out.line(`Copied to ${copied.path}`)
    })
}

async function printParts({ out }: CommandContext, parts: readonly StoreReportPart[]): Promise<void> {
  for (const part of parts) {
    if (typeof part === 'string') await out.line(part)
    else if (part.rows.length > 0) await out.table(part.heads, part.rows)
  }
}
