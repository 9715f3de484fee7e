import type { Command } from 'commander'
import { TidemarkError } from '../../core/errors.ts'
import { topicsPort } from '../../core/ports/topics.ts'
import { formatPosition, type OutputRecord, type StreamRecord } from '../../core/record.ts'
import { integer } from '../../core/settingCodecs.ts'
import { startMode, type StartMode } from '../../core/startMode.ts'
import type { ExplanationBlock } from '../../runtime/plan/defineJob.ts'
import type { Plan } from '../../runtime/plan/plan.ts'
import {
  optionValue,
  commandJob,
  withCommonOptions,
  type CommandContext,
  type CommonOptions,
} from '../commandContext.ts'
import { isDeadLetter, printBlocks, tracing, type Tracing } from './explain.ts'
import { clientsOf, withWorldOf } from '../openWorld.ts'
import { readForPreview } from '../output/readForPreview.ts'

interface PreviewOptions extends CommonOptions {
  readonly records: number
  readonly from?: StartMode
}

/** `tidemark preview <job>`: what the job would make of some records, without making anything. */
export function addPreviewCommand(program: Command, context: CommandContext): void {
  withCommonOptions(program.command('preview'))
    .argument('<job>', 'job file')
    .option('--records <count>', 'most records', optionValue(integer({ min: 1, max: 10_000 })), 50)
    .option(
      '--from <mode>',
      'earliest, latest (the last ones), committed, timestamp:<time> or offsets:0=12,1=40 (default: earliest)',
      optionValue(startMode),
    )
    .summary('show what a job would make of some records, and commit nothing')
    .description(
      "Reads some records of the job's input topics, without its consumer group, and runs them through its pipeline as one\nepoch of each partition: with real lookups, and with no transaction. Prints what the job says about each record (for\nreconcile the differences by field), its outputs and its dead letters. Keyed state begins empty and goes from record to\nrecord; nothing is committed.",
    )
    .addHelpText(
      'after',
      `
Examples:
  tidemark preview jobs/reconcile.ts
  tidemark preview jobs/reconcile.ts --records 5 --from latest`,
    )
    .action(async (file: string, options: PreviewOptions) => {
      const job = await commandJob(context, options, file)
      const { plan } = job
      const blocks = await withWorldOf(context, job, async (world) => {
        const from = options.from ?? { kind: 'earliest' }
        const topics = await world.connected(topicsPort)
        const records = await readForPreview(topics, plan, { from, limit: options.records })
        return previewRecords(records, plan, tracing(context, job, await clientsOf(world, plan)))
      })
      await printBlocks(context, blocks)
    })
}

/** What the job says about each record, then everything that its sinks would have sent. */
async function previewRecords(
  records: readonly StreamRecord[],
  { stateful }: Plan,
  trace: Tracing,
): Promise<readonly ExplanationBlock[]> {
  if (records.length === 0) return [{ title: 'Preview', text: 'There are no records at that place.' }]
  const blocks: ExplanationBlock[] = []
  for (const record of records) {
    const blocksOfJob = await trace.said(record)
    const text = blocksOfJob.map(({ title, text: said }) => [title, ...said.split('\n')].join('\n  ')).join('\n')
    if (text !== '') blocks.push({ title: `Message ${formatPosition(record)}`, text })
  }
  const outputs: OutputRecord[] = []
  for (const [, ofTask] of [...Map.groupBy(records, ({ partition }) => partition)].toSorted(([a], [b]) => a - b)) {
    try {
      outputs.push(...(await trace.outputs(ofTask)))
    } catch (error) {
      // What is wrong with the job is so in every partition, and said once.
      if (!(error instanceof TidemarkError) || error.kind === 'configuration' || error.kind === 'guard') throw error
      blocks.push({ title: `Partition ${String(ofTask[0]?.partition)} fails`, text: error.message })
    }
  }
  const deadLetters = outputs.filter(isDeadLetter)
  return [
    ...blocks,
    ...[...outputs.filter((output) => !isDeadLetter(output)), ...deadLetters].map(trace.block),
    {
      title: 'Preview',
      text: `${String(records.length)} records: ${String(outputs.length - deadLetters.length)} outputs, ${String(deadLetters.length)} dead letters. ${stateful ? 'Keyed state began empty, whatever the job has committed. ' : ''}Nothing was committed.`,
    },
  ]
}
