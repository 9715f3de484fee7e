import type { StreamRecord } from '../../../src/core/record.ts'

/** One committed output or dead letter, whoever has read it. */
export interface SeenOutput {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly timestamp: number
  readonly key: string
  readonly value: string
  /** As Kafka's console consumer prints them: `name:value,name:value`. */
  readonly headers: string
}

export function seenOutput({ topic, partition, offset, timestamp, key, raw, headers }: StreamRecord): SeenOutput {
  return {
    topic,
    partition,
    offset,
    timestamp,
    key: key?.toString() ?? '',
    value: raw?.toString() ?? '',
    headers: headers.map(([name, value]) => `${name}:${value?.toString() ?? ''}`).join(','),
  }
}

/** The message that an output comes from: `counts` has it in its value, everything else in its key. */
export function messageOf({ key, value }: Pick<SeenOutput, 'key' | 'value'>): string {
  return /"event":"([^"]+)"/.exec(value)?.[1] ?? key
}

export function placeOf({ topic, partition, offset }: Pick<SeenOutput, 'topic' | 'partition' | 'offset'>): string {
  return `${topic}/${String(partition)}@${String(offset)}`
}

/** All of it, so that two readers agree on contents as well. */
export function spell(output: SeenOutput): string {
  const { timestamp, key, value, headers } = output
  return `${messageOf(output)} ${placeOf(output)} ${JSON.stringify([timestamp, key, value, headers])}`
}

/** What there is to know of outputs to judge them, in whatever form they were read. */
export interface Oracle<Output> {
  messageOf(output: Output): string
  /** With its place, for a person. */
  show(output: Output): string
  /** What is wrong with it; null: it is what its message must lead to. */
  wrong?(output: Output): string | null
}

/**
 * What exactly-once forbids, whoever looks and whenever: outputs that stand twice, that come of messages which are not
 * committed, or that are wrong; and committed messages without one.
 */
export function mistakesIn<Output>(
  outputs: readonly Output[],
  committed: readonly string[],
  oracle: Oracle<Output>,
): readonly string[] {
  const missing = new Set(committed)
  const seen = new Set<string>()
  const mistakes: string[] = []
  for (const output of outputs) {
    const message = oracle.messageOf(output)
    if (seen.has(message)) mistakes.push(`an output stands twice: ${oracle.show(output)}`)
    else if (!missing.delete(message)) {
      mistakes.push(`an output of an input that is not committed: ${oracle.show(output)}`)
    }
    seen.add(message)
    mistakes.push(...[oracle.wrong?.(output) ?? []].flat())
  }
  return [...mistakes, ...Array.from(missing, (message) => `${message} is committed and has no output`)]
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
