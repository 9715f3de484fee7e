import { sleep, systemClock } from '../../../src/core/ports/clock.ts'
import { startKafkaTool } from '../../servers/kafkaTool.ts'
import { partitions, type FaultRun, type FaultedJob } from './faultRun.ts'
import { LiveReader } from './liveReader.ts'
import { messageOf, mistakesIn, placeOf, spell, type SeenOutput } from './outputs.ts'

/** What three readers say of the same outputs: one during the faults, one after them, and Kafka's own console consumer. */
export interface Judged {
  /**
   * What exactly-once forbids: outputs that are missing, doubled or wrong, and readers that disagree. The first twenty of
   * each kind.
   */
  readonly mistakes: readonly string[]
  /**
   * Of these, the outputs that are not, byte for byte, what their message must lead to by the job's own oracle, and those that
   * Kafka's console consumer prints otherwise than our reader has read them.
   */
  readonly wrong: readonly string[]
  /** The first output of each message, as the reader after the faults has read it. */
  readonly outputs: readonly SeenOutput[]
  /** The same as Kafka's console consumer has printed it. */
  readonly consoled: readonly SeenOutput[]
}

const shown = 20

/** Reads everything again when all is committed. A live reader that had seen an aborted record would differ from the others. */
export async function judge(
  run: FaultRun,
  bootstrap: string,
  { outputs: topics, expected }: FaultedJob,
): Promise<Judged> {
  const reader = new LiveReader(bootstrap, partitions, topics)
  try {
    let seen = -1
    await run.until(
      'a fresh reader has come to the end',
      async () => {
        const report = await reader.report()
        const atRest = report.seen === seen && report.seen >= run.messages
        seen = report.seen
        if (!atRest) await sleep(systemClock, 300)
        return atRest
      },
      30_000,
    )
    const [live, fresh, consoled] = await Promise.all([
      run.reader.report('outputs'),
      reader.report('outputs'),
      consoleLines(bootstrap, topics, run.messages),
    ])
    const read = new Map(fresh.outputs.map((output) => [messageOf(output), output]))
    const wrong = [
      ...[...fresh.outputs, ...consoled].flatMap((output) => expected(output) ?? []),
      ...consoled.flatMap((line) => differs(line, read.get(messageOf(line)))),
    ].slice(0, shown)
    return {
      mistakes: [
        ...live.doubled,
        ...fresh.doubled,
        ...live.failures,
        ...fresh.failures,
        ...wrong,
        // What only the first has seen was of a transaction that was aborted.
        ...unlike('the reader during the faults', live.outputs.map(spell), fresh.outputs.map(spell)),
        ...mistakesIn<SeenOutput>(consoled, run.names, {
          messageOf,
          show: (line) => `Kafka's console consumer: ${spell(line)}`,
        }).slice(0, shown),
      ],
      wrong,
      outputs: fresh.outputs,
      consoled,
    }
  } finally {
    reader.close()
  }
}

/** What a reader has seen too often or too seldom. */
function unlike(reader: string, seen: readonly string[], right: readonly string[]): readonly string[] {
  const counts = new Map<string, number>()
  for (const each of seen) counts.set(each, (counts.get(each) ?? 0) + 1)
  for (const each of right) counts.set(each, (counts.get(each) ?? 0) - 1)
  return [...counts]
    .filter(([, count]) => count !== 0)
    .map(([each, count]) => `${reader} has seen ${count > 0 ? 'too many' : 'too few'} of ${each}`)
    .slice(0, shown)
}

function differs(line: SeenOutput, output: SeenOutput | undefined): readonly string[] {
  // What stands in two places is doubled, which is told elsewhere; our reader keeps the first.
  if (output !== undefined && (placeOf(line) !== placeOf(output) || spell(line) === spell(output))) return []
  return [`Kafka's console consumer has ${spell(line)}, our reader ${output === undefined ? 'nothing' : spell(output)}`]
}

/** Every output that Kafka's console consumer sees. */
async function consoleLines(
  bootstrap: string,
  topics: readonly string[],
  expected: number,
): Promise<readonly SeenOutput[]> {
  const read = async (idleMs: number): Promise<readonly SeenOutput[]> =>
    (await Promise.all(topics.map((topic) => readByConsole(bootstrap, topic, idleMs)))).flat()
  // It ends when nothing has come for so long; on a busy machine that may be before its first record.
  const lines = await read(3_000)
  return lines.length >= expected ? lines : read(30_000)
}

/** A line is `CreateTime:1\tPartition:0\tOffset:7\tname:value,…\tkey\tvalue`; ours hold no tab. */
const consoleLine = /^\w+:(-?\d+)\tPartition:(\d+)\tOffset:(\d+)\t([^\t]*)\t([^\t]*)\t(.*)$/

async function readByConsole(bootstrap: string, topic: string, idleMs: number): Promise<readonly SeenOutput[]> {
  const printed = ['timestamp', 'partition', 'offset', 'headers', 'key', 'value']
  const tool = await startKafkaTool('org.apache.kafka.tools.consumer.ConsoleConsumer', [
    ...['--bootstrap-server', bootstrap, '--topic', topic, '--from-beginning'],
    ...['--isolation-level', 'read_committed', '--timeout-ms', String(idleMs)],
    ...printed.flatMap((what) => ['--property', `print.${what}=true`]),
  ])
  const parts: string[] = []
  tool.stdout.setEncoding('utf8').on('data', (text: string) => parts.push(text))
  await new Promise((resolve) => tool.once('close', resolve))
  // Other lines are its own: it ends by a timeout, and says so.
  return parts
    .join('')
    .split('\n')
    .flatMap((line) => {
      const [, timestamp, partition, offset, headers = '', key = '', value = ''] = consoleLine.exec(line) ?? []
      if (timestamp === undefined) return []
      return {
        topic,
        partition: Number(partition),
        offset: Number(offset),
        timestamp: Number(timestamp),
        key,
        value,
        headers: headers === 'NO_HEADERS' ? '' : headers,
      }
    })
}
