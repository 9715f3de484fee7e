import path from 'node:path'
import type { Command } from 'commander'
import {
  inspectDirectory,
  salvageDirectory,
  type InspectedDirectory,
} from '../../connectors/embedded/damage/storeCare.ts'
import type { SalvagedPartition, SalvagedTable, SalvageReport } from '../../connectors/embedded/damage/salvageStore.ts'
import type { SurveyedTopic } from '../../connectors/embedded/damage/surveyStore.ts'
import { displayDamage } from '../../connectors/embedded/damage/verifyStore.ts'
import { systemRandom } from '../../core/ports/random.ts'
import { visible } from '../../core/visible.ts'
import { alignColumns } from '../output/alignColumns.ts'
import { settingsOf, withCommonOptions, type CommandContext, type CommonOptions } from '../commandContext.ts'
import { quoted } from '../output/quoted.ts'

/** `tidemark store check | salvage`. */
export function addStoreCommand(program: Command, context: CommandContext): void {
  const store = program
    .command('store')
    .summary('check the embedded store, and save what is whole of a damaged one')
    .description(
      'Reads the files of the embedded world in the data directory, without opening them as a job does. For a directory\nthat nobody uses: stop the job first.',
    )
  addCheck(store, context)
  addSalvage(store, context)
}

function addCheck(store: Command, context: CommandContext): void {
  withCommonOptions(store.command('check'))
    .summary('verify every file and every value; changes nothing')
    .description(
      'Verifies every file and every value of the embedded store, prints what is there and what is damaged, and changes\nnothing. Ends with 0 when everything is whole, with 1 when something is damaged.',
    )
    .addHelpText('after', '\nExample:\n  tidemark store check --data-dir /var/lib/orders')
    .action(async (options: CommonOptions) => {
      const { io, out } = context
      const inspected = await inspectDirectory(directoryOf(context, options), io.clock)
      await printContent(context, inspected)
      const damages = damagesOf(inspected)
      for (const damage of damages) await out.line(`Damaged: ${visible(damage)}`)
      if (damages.length === 0) await out.line('Everything is whole.')
      else {
        await out.line(
          `Copy what is whole with: npx tidemark store salvage <new directory>${whereOf(context, options)}`,
        )
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
      const {
        report,
        path: made,
        ...inspected
      } = await salvageDirectory(directoryOf(context, options), path.resolve(io.directory, to), {
        clock: io.clock,
        random: systemRandom,
      })
      for (const damage of damagesOf(inspected)) await out.line(`Damaged: ${visible(damage)}`)
      await printReport(context, report)
      await out.line(`Copied to ${made}`)
    })
}

function directoryOf(context: CommandContext, options: CommonOptions): string {
  return path.resolve(context.io.directory, settingsOf(context, options, null).get('data.dir'))
}

/** The directory as a flag of a command to copy, where it is not the default one. */
function whereOf(context: CommandContext, options: CommonOptions): string {
  const isDefault = settingsOf(context, options, null).origin('data.dir') === 'default'
  return isDefault ? '' : ` --data-dir ${quoted(directoryOf(context, options))}`
}

/** One sentence each. */
function damagesOf({ log, markerDamage, inspection: { fileDamages, survey } }: InspectedDirectory): readonly string[] {
  return [
    ...(markerDamage === null ? [] : [markerDamage]),
    ...fileDamages.map((damage) => displayDamage(damage, log)),
    ...survey.damages,
  ]
}

async function printContent({ out }: CommandContext, { log, inspection }: InspectedDirectory): Promise<void> {
  const { fileCount, findings, survey, unfinished } = inspection
  await out.line(
    `Read ${String(fileCount)} files with ${String(findings.bytes)} bytes in ${log}: store format ${survey.format ?? 'unknown'}, ${String(survey.offsets.length)} committed positions`,
  )
  if (survey.wiping) await out.line('The store was being cleared: whoever opens it finishes that.')
  if (unfinished !== null) {
    await out.line(
      `A write was being made when its process ended (${displayDamage(unfinished, log)}). It was not acknowledged, and is left out.`,
    )
  }
  const topics = survey.topics.flatMap((topic) => topicRows(topic))
  await printTable(out, ['TOPIC', 'PARTITION', 'OFFSETS'], topics)
  await printTable(
    out,
    ['TABLE', 'ROWS'],
    survey.tables.map(({ keyspace, table, rows }) => [visible(`${keyspace}.${table}`), String(rows)]),
  )
}

function topicRows({ name, partitions }: SurveyedTopic): readonly (readonly string[])[] {
  return partitions.map(({ batches, missing, end }, partition) => {
    const lost = batches.filter(({ isLost }) => isLost)
    const without = [...missing, ...lost].map(spanText)
    return [
      visible(name),
      String(partition),
      end === 0
        ? 'none'
        : `${spanText({ first: 0, last: end - 1 })}${without.length === 0 ? '' : ` without ${without.join(', ')}`}`,
    ]
  })
}

async function printReport({ out }: CommandContext, report: SalvageReport): Promise<void> {
  await printTable(out, ['TOPIC', 'PARTITION', 'END', 'LOST'], report.partitions.map(partitionRow))
  await printTable(out, ['TABLE', 'COPIED AS', 'ROWS', 'LOST'], report.tables.map(tableRow))
  if (report.namesMayBeMissing) {
    await out.line('Topics or tables that are not listed may have been there: what names them may be lost as well.')
  }
  await out.line(`${String(report.offsets)} committed positions`)
  if (report.positionsMayBeOlder) {
    await out.line('Positions may be missing, or older than they were: a job may write outputs a second time.')
  }
}

function partitionRow({ topic, partition, end, lost, emptied, mayBeShorter }: SalvagedPartition): readonly string[] {
  const what = [
    ...(emptied ? ['all: a changelog is of use only as a whole'] : lost.map(spanText)),
    ...(mayBeShorter ? ['perhaps behind the end'] : []),
  ]
  return [visible(topic), String(partition), String(end), what.length === 0 ? 'nothing' : what.join(', ')]
}

function tableRow({ keyspace, table, copiedAs, rows, damagedRows }: SalvagedTable): readonly string[] {
  const lost = copiedAs === table ? 'nothing' : `${String(damagedRows)} rows, and perhaps others`
  return [visible(`${keyspace}.${table}`), visible(`${keyspace}.${copiedAs}`), String(rows), lost]
}

function spanText({ first, last }: { readonly first: number; readonly last: number }): string {
  return first === last ? String(first) : `${String(first)}–${String(last)}`
}

async function printTable(
  out: CommandContext['out'],
  heads: readonly string[],
  rows: readonly (readonly string[])[],
): Promise<void> {
  if (rows.length === 0) return
  const [head = '', ...lines] = alignColumns([heads, ...rows])
  await out.line(out.style('bold', head))
  for (const line of lines) await out.line(line)
}
