import { Option, type Command } from 'commander'
import { topicsPort } from '../../core/ports/topics.ts'
import type { StreamRecord } from '../../core/record.ts'
import { bytes, integer } from '../../core/settingCodecs.ts'
import { visible } from '../../core/visible.ts'
import { inputChunks } from '../cliIo.ts'
import { optionValue, withCommonOptions, type CommandContext, type CommonOptions } from '../commandContext.ts'
import { base64Line, jsonLine, rawLine, recordAsJson } from '../output/recordLines.ts'
import { readFrom, readRecords, type ReadFrom } from './readRecords.ts'
import { writeLines } from './writeLines.ts'
import { namesUnder, withClient } from '../openWorld.ts'

/** `tidemark topic create | list | write | read`. */
export function addTopicCommand(program: Command, context: CommandContext): void {
  const { titles, places, local } = namesUnder(context.systems, topicsPort)
  const topic = program
    .command('topic')
    .summary('create, list, write and read topics')
    .description(
      `Works on the topics of the ${local} log, whether a job is running on it or not; with ${places} set,\non those of ${titles}, where every topic is made by hand.`,
    )
  addCreate(topic, context)
  addList(topic, context)
  addWrite(topic, context)
  addRead(topic, context)
}

function addCreate(topic: Command, context: CommandContext): void {
  withCommonOptions(topic.command('create'))
    .argument('<topic>', 'name: letters, digits, dots, underscores and dashes')
    .option(
      '--partitions <count>',
      'number of partitions (default: as the log is set to make topics)',
      optionValue(integer({ min: 1 })),
    )
    .option(
      '--max-message-bytes <bytes>',
      'largest record (default: as the log is set to make topics)',
      optionValue(bytes({ min: 1 })),
    )
    .summary('make a topic')
    .addHelpText('after', '\nExample:\n  tidemark topic create orders --partitions 8')
    .action(
      async (
        name: string,
        options: CommonOptions & { readonly partitions?: number; readonly maxMessageBytes?: number },
      ) => {
        const { partitions, maxMessageBytes } = options
        const made = await withClient(context, options, { port: topicsPort, purpose: 'write' }, (topics) =>
          topics.createTopic(name, { partitions, maxMessageBytes }),
        )
        await context.out.line(`Made topic ${made.name} with ${String(made.partitions)} partitions.`)
      },
    )
}

function addList(topic: Command, context: CommandContext): void {
  withCommonOptions(topic.command('list'))
    .summary('list topics with partitions and numbers of records')
    .option('--internal', 'show the topics too that jobs keep for themselves')
    .action(async (options: CommonOptions & { readonly internal?: boolean }) => {
      const { out } = context
      const topics = await withClient(context, options, { port: topicsPort, purpose: 'read' }, (client) =>
        client.listTopics({ internal: options.internal ?? false }),
      )
      if (topics.length === 0) {
        await context.err.line('There are no topics yet.')
        return
      }
      const rows = topics.map(({ name, partitions, endOffsets }) => [
        name,
        String(partitions),
        String(endOffsets.reduce((sum, end) => sum + end, 0)),
        endOffsets.join(' '),
      ])
      await out.table(['TOPIC', 'PARTITIONS', 'RECORDS', 'END OFFSETS'], rows)
    })
}

interface WriteOptions extends CommonOptions {
  readonly json?: boolean
  readonly binary?: boolean
  readonly partition?: number
}

function addWrite(topic: Command, context: CommandContext): void {
  withCommonOptions(topic.command('write'))
    .argument('<topic>', 'topic; in a log of this machine it is made when it is missing')
    .argument('[file]', 'file of lines, or - for the standard input', '-')
    .addOption(new Option('--json', 'a line is {key, value, headers, timestamp, partition}').conflicts('binary'))
    .option('--binary', 'a line is the value in base64')
    .option('--partition <number>', 'partition for all records (default: by key)', optionValue(integer({ min: 0 })))
    .summary('append one record per line')
    .description(
      'Appends one record per line. The raw line is the value, and an empty line is an empty value;\nthe newline at the very end begins no record. The partition is murmur2 of the key, or round-robin without one.',
    )
    .addHelpText(
      'after',
      `
With --json: key and value are strings or null (keyBase64 and valueBase64 for other bytes), headers are a list of
pairs whose values are strings, null or {"base64": "…"}; all but the value may be left out.

Examples:
  echo '{"id": 1}' | tidemark topic write orders
  tidemark topic write orders lines.txt --partition 0
  echo '{"key": "a", "value": "{\\"id\\": 1}"}' | tidemark topic write orders --json
  tidemark topic read orders --json | tidemark topic write copy --json`,
    )
    .action(async (name: string, file: string, options: WriteOptions) => {
      const { io, out, err } = context
      const format = options.json === true ? jsonLine : options.binary === true ? base64Line : rawLine
      if (file === '-' && io.stdinIsTerminal) await err.line('Reading lines from the terminal; Ctrl-D ends.')
      const written = await withClient(context, options, { port: topicsPort, purpose: 'write' }, (topics) =>
        writeLines(
          (records) => topics.append(records),
          inputChunks(io, file),
          { topic: name, format, partition: options.partition ?? null },
          io.clock,
        ),
      )
      await out.line(`Wrote ${String(written)} ${written === 1 ? 'record' : 'records'} to ${name}.`)
    })
}

interface ReadOptions extends CommonOptions {
  readonly follow?: boolean
  readonly json?: boolean
  readonly from: ReadFrom
  readonly limit?: number
  readonly partition?: number
}

function addRead(topic: Command, context: CommandContext): void {
  withCommonOptions(topic.command('read'))
    .argument('<topic>', 'topic')
    .option('--follow', 'go on with records that are written later; Ctrl-C ends')
    .option('--json', 'print whole records as JSON lines, which `topic write --json` reads back')
    .option('--from <place>', 'earliest, latest, an offset, or an ISO time with zone', optionValue(readFrom), {
      kind: 'earliest',
    } satisfies ReadFrom)
    .option('--limit <count>', 'print at most so many records', optionValue(integer({ min: 0 })))
    .option('--partition <number>', 'read one partition only', optionValue(integer({ min: 0 })))
    .summary('print committed records')
    .description(
      'Prints the values of committed records, one a line, partition after partition. A record without a value prints\nas null; --json tells it from the text "null", and from values with newlines or without UTF-8.',
    )
    .addHelpText(
      'after',
      `
Examples:
  tidemark topic read reconcile --limit 5
  tidemark topic read reconcile-dlq --json
  tidemark topic read reconcile --follow --from latest
  tidemark topic read reconcile --from 2026-11-01T08:00:00Z --partition 0`,
    )
    .action(async (name: string, options: ReadOptions) => {
      const { io, out } = context
      const stopping = new AbortController()
      const release = options.follow === true ? io.onStop(() => stopping.abort()) : () => undefined
      const print = options.json === true ? asJsonLine : out.isTerminal ? asVisibleLine : asRawLine
      const request = {
        topic: name,
        partition: options.partition ?? null,
        from: options.from,
        limit: options.limit ?? Infinity,
        follow: options.follow ?? false,
        signal: stopping.signal,
      }
      try {
        await withClient(context, options, { port: topicsPort, purpose: 'read' }, async (topics) => {
          for await (const records of readRecords(topics, request, io.clock)) {
            await out.data(Buffer.concat(records.map(print)))
          }
        })
      } finally {
        release()
      }
    })
}

const newline = Buffer.from('\n')
const noValue = Buffer.from('null\n')

function asJsonLine(record: StreamRecord): Buffer {
  return Buffer.from(`${recordAsJson(record)}\n`)
}

function asRawLine({ raw }: StreamRecord): Buffer {
  return raw === null ? noValue : Buffer.concat([raw, newline])
}

function asVisibleLine({ raw }: StreamRecord): Buffer {
  return raw === null ? noValue : Buffer.from(`${visible(raw.toString())}\n`)
}
