import type { Command } from 'commander'
import { jobLogPort } from '../../core/ports/jobLogs.ts'
import type { RecordPosition } from '../../core/record.ts'
import { integer, recordPosition } from '../../core/settingCodecs.ts'
import { startMode, type StartMode } from '../../core/startMode.ts'
import {
  optionValue,
  commandJob,
  withCommonOptions,
  type CommandContext,
  type CommonOptions,
} from '../commandContext.ts'
import { namesUnder } from '../openWorld.ts'
import { runInWorld } from '../runInWorld.ts'

const position = optionValue(recordPosition)
const workerCount = integer({ min: 1, max: 256 })

interface RunCommandOptions extends CommonOptions {
  readonly follow?: boolean
  readonly resetOffsets?: StartMode
  readonly acceptTopic: readonly string[]
  readonly allowDropped?: boolean
  readonly dropInput: readonly string[]
  readonly skip: readonly RecordPosition[]
  readonly fresh?: boolean
  readonly records?: number
  readonly parallelism: number
  readonly restarting?: boolean
  readonly yes?: boolean
}

/** `tidemark run <job>`: runs a job until its input ends, or until it is stopped. */
export function addRunCommand(program: Command, context: CommandContext): void {
  const shared = namesUnder(context.systems, jobLogPort)
  const all = namesUnder(context.systems, ...context.systems.flatMap(({ ports }) => ports))
  withCommonOptions(program.command('run'))
    .argument('<job>', 'job file')
    .option('--follow', 'go on with records that are written later; Ctrl-C finishes the epoch and ends')
    .option(
      '--reset-offsets <mode>',
      'begin again from earliest, latest, timestamp:<time> or offsets:0=12,1=40, with empty state; asks first',
      optionValue(startMode),
    )
    .option(
      '--accept-topic <name>',
      'go on at the committed offsets in a topic that was made anew with the same records, as in a copied cluster; can be repeated',
      collected,
      [],
    )
    .option(
      '--allow-dropped',
      'start although there is keyed state that no step claims, or rows wait that cannot be sent: they are given up',
    )
    .option(
      '--drop-input <topic>',
      'go on without a topic that the job had as an input, or from the beginning of one made anew; can be repeated',
      collected,
      [],
    )
    .option(
      '--skip <topic>:<partition>@<offset>',
      'pass a batch or record that cannot be read, where an error has named it; its position becomes a dead letter; can be repeated',
      (text: string, before: readonly RecordPosition[]) => [...before, position(text)],
      [],
    )
    .option('--fresh', `delete all ${all.local} topics, tables and state first; asks first`)
    .option(
      '--records <count>',
      'fill an empty data directory with about so many messages',
      optionValue(integer({ min: 1 })),
    )
    .option(
      '--parallelism <count>',
      `worker processes on this machine (${shared.titles} only)`,
      optionValue(workerCount),
      1,
    )
    .option(
      '--restarting',
      `keep the partitions at a stop for the process that is started next, within the session's timeout (${shared.titles} only)`,
    )
    .option('-y, --yes', 'do not ask; without a terminal nothing is deleted without it')
    .summary('run a job')
    .description(
      `Runs a job. Without --follow the run is bounded: it ends at the ends that the input has at its start.\nWith nothing configured it runs on ${all.local} topics and tables, filled with the job's sample where there is no data;\nwith ${all.places} set, on ${all.titles} (docs/real-world.md).`,
    )
    .addHelpText(
      'after',
      `
Examples:
  tidemark run jobs/reconcile.ts
  tidemark run jobs/reconcile.ts --follow --checkpoint.interval.ms=30000
  tidemark run jobs/reconcile.ts --fresh --yes --records 500000
  tidemark run jobs/reconcile.ts --reset-offsets timestamp:2026-11-01T00:00:00Z
  tidemark run jobs/reconcile.ts --follow --parallelism 2 --${shared.places}=localhost:9092`,
    )
    .action(async (file: string, options: RunCommandOptions) => {
      const follow = options.follow ?? false
      await runInWorld(context, {
        ...(await commandJob(context, options, file, follow)),
        follow,
        reset: options.resetOffsets ?? null,
        acceptTopics: options.acceptTopic,
        allowDropped: options.allowDropped ?? false,
        dropInputs: options.dropInput,
        skips: options.skip,
        fresh: options.fresh ?? false,
        records: options.records ?? null,
        parallelism: options.parallelism,
        restarting: options.restarting ?? false,
        ask: options.yes !== true,
      })
    })
}

/** An option that can be given several times. */
function collected(value: string, before: readonly string[]): readonly string[] {
  return [...before, value]
}
