import { isUtf8 } from 'node:buffer'
import type { Command } from 'commander'
import { TidemarkError } from '../../core/errors.ts'
import { topicsPort, type Topics } from '../../core/ports/topics.ts'
import { systemRandom } from '../../core/ports/random.ts'
import { visible } from '../../core/visible.ts'
import { formatPosition, type OutputRecord, type RecordPosition, type StreamRecord } from '../../core/record.ts'
import { silentLogger } from '../../core/ports/logger.ts'
import type { ExplanationBlock } from '../../runtime/plan/defineJob.ts'
import type { Plan } from '../../runtime/plan/plan.ts'
import { runnableJob } from '../../runtime/plan/runnableJob.ts'
import type { ResolvedSettings } from '../../runtime/settings/resolvedSettings.ts'
import { traceRecords, type TraceEnvironment } from '../../runtime/attempt/traceRecords.ts'
import { StateOverlay } from '../../state/stateOverlay.ts'
import {
  jobOf,
  limitsOf,
  settingsOf,
  withCommonOptions,
  type CommandContext,
  type CommonOptions,
} from '../commandContext.ts'
import { clientsOf, withWorldOf, type CommandJob } from '../openWorld.ts'
import { planOf } from './plan.ts'
import type { Printer } from '../output/printer.ts'

/** Texts are cut here on the screen; a message may have many MB. */
const maxShownLength = 20_000

/** `tidemark explain <topic> <partition>@<offset>`: what one message leads to, and why. */
export function addExplainCommand(program: Command, context: CommandContext): void {
  withCommonOptions(program.command('explain'))
    .argument('<topic>', 'topic that the job reads')
    .argument('<position>', 'partition and offset: 0@12')
    .option('--job <file>', 'job file', 'jobs/reconcile.ts')
    .summary('show what one message leads to, and why')
    .description(
      "Sends one message through the job's pipeline without committing anything, and prints the message, what the job\nsays about it, and the outputs or the dead letter. Keyed state is empty here, and rows are as they are now.",
    )
    .addHelpText(
      'after',
      `
Dead letters name the position of their message in headers source-topic, source-partition and source-offset.

Example:
  tidemark explain input-topic 0@12`,
    )
    .action(async (topic: string, position: string, options: CommonOptions & { readonly job: string }) => {
      const loaded = await jobOf(context, options.job)
      const settings = settingsOf(context, options, loaded)
      const place = parsePosition(topic, position)
      const plan = planOf(loaded, settings, context)
      checkInput(place.topic, loaded.path, plan)
      const job = { loaded, settings, plan }
      const blocks = await withWorldOf(context, job, async (world) => {
        const record = await readOne(await world.connected(topicsPort), place)
        return explainRecord(record, job, await clientsOf(world, plan), context)
      })
      await printBlocks(context, blocks)
    })
}

export async function printBlocks({ out }: CommandContext, blocks: readonly ExplanationBlock[]): Promise<void> {
  for (const { title, text } of blocks) {
    await out.line(out.style('bold', title))
    for (const line of text.split('\n')) await out.line(`  ${line}`)
    await out.line()
  }
}

/** The message, what the job says about it, and what its sinks would have sent. Writes nothing. */
async function explainRecord(
  record: StreamRecord,
  { loaded: { job }, settings }: CommandJob,
  open: TraceEnvironment['open'],
  context: CommandContext,
): Promise<readonly ExplanationBlock[]> {
  const style: Printer['style'] = (format, text) => context.out.style(format, text)
  const ownBlocks = (await job.explain?.({ record, settings: settings.job, open, style })) ?? []
  const outputs = await traceRecords(runnableJob(job, settings), [record], tracing(context, settings, open))
  return [
    { title: `Message ${formatPosition(record)}`, text: recordText(record, record.raw) },
    ...ownBlocks,
    ...outputs.map((output) => ({ title: outputTitle(output, style), text: recordText(output, output.value) })),
    ...(outputs.length === 0 ? [{ title: 'Output', text: 'none' }] : []),
  ]
}

/** How records are traced: with keyed state that begins empty, is kept in memory meanwhile, and is never committed. */
export function tracing(
  { io }: CommandContext,
  settings: ResolvedSettings,
  open: TraceEnvironment['open'],
): TraceEnvironment {
  const state = new StateOverlay({ get: () => undefined }, { generation: 0 })
  return { clock: io.clock, random: systemRandom, log: silentLogger, limits: limitsOf(settings), state, open }
}

export function isDeadLetter({ headers }: Pick<OutputRecord, 'headers'>): boolean {
  return headers.some(([name]) => name === 'error-code')
}

export function outputTitle({ topic, headers }: OutputRecord, style: Printer['style']): string {
  return `${isDeadLetter({ headers }) ? style('red', 'Dead letter') : 'Output'} to ${topic}`
}

function parsePosition(topic: string, text: string): RecordPosition {
  const [, partition, offset] = /^(\d{1,9})@(\d{1,16})$/.exec(text) ?? []
  const position = { topic, partition: Number(partition), offset: Number(offset) }
  if (Number.isSafeInteger(position.offset)) return position
  throw new TidemarkError('invalid-input', `${visible(text)} is no position: give partition and offset, such as 0@12.`)
}

function checkInput(topic: string, job: string, plan: Plan): void {
  const isInput = plan.sources.some(({ topics }) =>
    topics.kind === 'topics' ? topics.topics.includes(topic) : topics.pattern.test(topic),
  )
  if (isInput) return
  const inputs = plan.sources.map(({ topics }) =>
    topics.kind === 'topics' ? topics.topics.join(', ') : String(topics.pattern),
  )
  throw new TidemarkError(
    'invalid-input',
    `${job} does not read topic ${visible(topic)}; it reads ${inputs.join(', ')}.`,
  )
}

async function readOne(topics: Topics, place: RecordPosition): Promise<StreamRecord> {
  const { records, end } = await topics.readPage({ ...place, from: place.offset, limit: 1 })
  const [record] = records
  if (record?.offset === place.offset) return record
  throw new TidemarkError(
    'invalid-input',
    `There is no record ${formatPosition(place)}; partition ${String(place.partition)} has offsets below ${String(end)}.`,
  )
}

export function recordText(
  { key, timestamp, headers }: Pick<OutputRecord, 'key' | 'timestamp' | 'headers'>,
  value: Buffer | null,
): string {
  return [
    `timestamp ${Math.abs(timestamp) <= 8.64e15 ? new Date(timestamp).toISOString() : String(timestamp)}`,
    `key ${bytesText(key)}`,
    ...headers.map(([name, content]) => `header ${visible(name)}: ${bytesText(content)}`),
    `value ${bytesText(value)}`,
  ].join('\n')
}

function bytesText(bytes: Buffer | null): string {
  if (bytes === null) return 'none (null)'
  if (bytes.length === 0) return 'empty'
  const text = isUtf8(bytes) ? visible(bytes.toString()) : `${bytes.toString('base64')} (base64, no UTF-8)`
  return text.length <= maxShownLength
    ? text
    : `${text.slice(0, maxShownLength)}… (${String(bytes.length)} bytes in all; tidemark topic read --json prints them)`
}
