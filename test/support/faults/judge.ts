import { sleep, systemClock } from '../../../src/core/clock.ts'
import { startKafkaTool } from '../../../src/services/kafkaTool.ts'
import { partitions, type FaultRun } from './faultRun.ts'
import { LiveReader, messageOf, type SeenOutput } from './liveReader.ts'

/** What three readers say of the same outputs, in one spelling each, sorted. */
export interface Judged {
  /** Read while the faults happened. */
  readonly live: readonly string[]
  /** Read anew, after them. */
  readonly fresh: readonly string[]
  /** Messages by Kafka's own console consumer, read anew. */
  readonly console: readonly string[]
  readonly doubled: readonly string[]
  readonly outputs: readonly SeenOutput[]
}

/**
 * Where the outputs of one input partition are not in the order of its messages, within one partition of one topic; only of
 * messages from these positions on. The first twenty.
 */
export function outOfOrder(outputs: readonly SeenOutput[], from: readonly number[]): readonly string[] {
  const last = new Map<string, number>()
  const wrong: string[] = []
  for (const output of outputs.toSorted((a, b) => a.offset - b.offset)) {
    const [partition = 0, n = 0] = messageOf(output).split(':').map(Number)
    if (n < (from[partition] ?? 0)) continue
    const way = `${String(partition)} to ${output.topic}/${String(output.partition)}`
    const before = last.get(way) ?? -1
    if (n < before) wrong.push(`${way}: message ${String(n)} comes after ${String(before)}`)
    last.set(way, n)
  }
  return wrong.slice(0, 20)
}

/** Reads everything again when all is committed. A live reader that had seen an aborted record would differ from the others. */
export async function judge(run: FaultRun, bootstrap: string, topics: readonly string[]): Promise<Judged> {
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
      consoleMessages(bootstrap, topics, run.messages),
    ])
    return {
      live: live.outputs.map(spell).toSorted(),
      fresh: fresh.outputs.map(spell).toSorted(),
      console: consoled.toSorted(),
      doubled: [...live.doubled, ...fresh.doubled, ...live.failures, ...fresh.failures],
      outputs: fresh.outputs,
    }
  } finally {
    reader.close()
  }
}

function spell(output: SeenOutput): string {
  return `${messageOf(output)} ${output.topic}/${String(output.partition)}@${String(output.offset)}`
}

/** Messages that have an output, as often as they have one, by Kafka's console consumer. */
async function consoleMessages(
  bootstrap: string,
  topics: readonly string[],
  expected: number,
): Promise<readonly string[]> {
  // It ends when nothing has come for so long; on a busy machine that may be before its first record.
  const messages = await readByConsole(bootstrap, topics, 3_000).catch(() => [])
  return messages.length >= expected ? messages : readByConsole(bootstrap, topics, 10_000)
}

async function readByConsole(bootstrap: string, topics: readonly string[], idleMs: number): Promise<readonly string[]> {
  const tool = await startKafkaTool('org.apache.kafka.tools.consumer.ConsoleConsumer', [
    ...['--bootstrap-server', bootstrap, '--include', topics.join('|'), '--from-beginning'],
    ...['--isolation-level', 'read_committed', '--timeout-ms', String(idleMs), '--property', 'print.key=true'],
  ])
  const parts: string[] = []
  tool.stdout.setEncoding('utf8').on('data', (text: string) => parts.push(text))
  const errors: string[] = []
  tool.stderr.setEncoding('utf8').on('data', (text: string) => errors.push(text))
  await new Promise((resolve) => tool.once('close', resolve))
  // Lines without a tab are its own: it ends by a timeout, and says so.
  const lines = parts
    .join('')
    .split('\n')
    .filter((line) => line.includes('\t'))
  if (lines.length === 0) throw new Error(`Kafka's console consumer has read nothing: ${errors.join('')}`)
  return lines.map((line) => {
    const tab = line.indexOf('\t')
    return messageOf({ key: line.slice(0, tab), value: line.slice(tab + 1) })
  })
}
