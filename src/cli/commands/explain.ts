import { isUtf8 } from 'node:buffer'
import type { Command } from 'commander'
import { TidemarkError } from '../../core/errors.ts'
import { topicsPort, type Topics } from '../../core/ports/topics.ts'
import { selects } from '../../core/topicSelection.ts'
import { visible } from '../../core/visible.ts'
import { formatPosition, type OutputRecord, type RecordPosition, type StreamRecord } from '../../core/record.ts'
import type { ExplanationBlock } from '../../runtime/plan/defineJob.ts'
import { runnableJob } from '../../runtime/plan/runnableJob.ts'
import { traceRecords, type TraceEnvironment } from '../../runtime/attempt/traceRecords.ts'
import { StateOverlay } from '../../state/stateOverlay.ts'
import {
  commandJob,
  quietEnvironment,
  withCommonOptions,
  type CommandContext,
  type CommandJob,
  type CommonOptions,
} from '../commandContext.ts'
import { clientsOf, withWorldOf } from '../openWorld.ts'
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
      const job = await commandJob(context, options, options.job)
      const place = parsePosition(topic, position)
      checkInput(topic, job)
      const blocks = await withWorldOf(context, job, async (world) => {
        const record = await readOne(await world.connected(topicsPort), place)
        return explainRecord(record, tracing(context, job, await clientsOf(world, job.plan)))
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
async function explainRecord(record: StreamRecord, trace: Tracing): Promise<readonly ExplanationBlock[]> {
  const said = await trace.said(record)
  const outputs = await trace.outputs([record])
  return [
    { title: `Message ${formatPosition(record)}`, text: recordText(record, record.raw) },
    ...said,
    ...outputs.map(trace.block),
    ...(outputs.length === 0 ? [{ title: 'Output', text: 'none' }] : []),
  ]
}

/** A job at work on records, of which nothing is committed. */
export interface Tracing {
  /** What the job itself says about a record. */
  said(record: StreamRecord): Promise<readonly ExplanationBlock[]>
  /** What its sinks would have sent for records of one partition. Keyed state begins empty and goes from record to record. */
  outputs(records: readonly StreamRecord[]): Promise<readonly OutputRecord[]>
  readonly block: (output: OutputRecord) => ExplanationBlock
}

/** `open` gives connected clients. */
export function tracing(
  context: CommandContext,
  { loaded: { job }, settings }: CommandJob,
  open: TraceEnvironment['open'],
): Tracing {
  const style: Printer['style'] = (format, text) => context.out.style(format, text)
  return {
    said: async (record) => (await job.explain?.({ record, settings: settings.job, open, style })) ?? [],
    outputs(records) {
      const state = new StateOverlay({ get: () => undefined }, { generation: 0 })
      return traceRecords(runnableJob(job, settings), records, { ...quietEnvironment(context, settings), state, open })
    },
    block: (output) => ({
      title: `${isDeadLetter(output) ? style('red', 'Dead letter') : 'Output'} to ${output.topic}`,
      text: recordText(output, output.value),
    }),
  }
}

export function isDeadLetter({ headers }: OutputRecord): boolean {
  return headers.some(([name]) => name === 'error-code')
}

function parsePosition(topic: string, text: string): RecordPosition {
  const [, partition, offset] = /^(\d{1,9})@(\d{1,16})$/.exec(text) ?? []
  const position = { topic, partition: Number(partition), offset: Number(offset) }
  if (Number.isSafeInteger(position.offset)) return position
  throw new TidemarkError('invalid-input', `${visible(text)} is no position: give partition and offset, such as 0@12.`)
}

function checkInput(topic: string, { loaded, plan: { sources } }: CommandJob): void {
  if (sources.some(({ topics }) => selects(topics, topic))) return
  const inputs = sources.map(({ topics }) =>
    topics.kind === 'topics' ? topics.topics.join(', ') : String(topics.pattern),
  )
  throw new TidemarkError(
    'invalid-input',
    `${loaded.path} does not read topic ${visible(topic)}; it reads ${inputs.join(', ')}.`,
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

function recordText(
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
