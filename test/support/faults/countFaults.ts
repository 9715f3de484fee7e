import type { FaultedJob } from './faultRun.ts'
import type { SeenOutput } from './outputs.ts'

const keysEach = 25

/**
 * test/support/jobs/count.ts, which numbers the records of each key: one that is counted twice or not at all shows in the
 * numbers after it. Epochs are small, so that there is work for all of a test.
 */
export function countUnderFaults({ epochBytes = 4_096 } = {}): FaultedJob {
  return {
    file: 'test/support/jobs/count.ts',
    groupId: 'count',
    input: 'events',
    outputs: ['counts', 'counts-dlq'],
    message: (id, n) => ({ key: `${id.split(':')[0] ?? ''}-${String(n % keysEach)}`, value: id }),
    // What is right here depends on the outputs before: `wrongCounts` looks at all of them.
    expected: () => null,
    settings: { 'checkpoint.max.bytes': epochBytes },
    unlimited: { 'checkpoint.max.bytes': 1_000_000 },
  }
}

/** The outputs that are not the next number of their key, or not of the key's next message. */
export function wrongCounts(outputs: readonly SeenOutput[]): readonly string[] {
  const counts = new Map<string, number>()
  const wrong: string[] = []
  for (const { key, value } of outputs.toSorted((a, b) => a.partition - b.partition || a.offset - b.offset)) {
    const count = (counts.get(key) ?? 0) + 1
    counts.set(key, count)
    const [partition = '', number = ''] = key.split('-')
    const expected = JSON.stringify({ count, event: `${partition}:${String((count - 1) * keysEach + Number(number))}` })
    if (value !== expected) wrong.push(`${key}: ${value} instead of ${expected}`)
  }
  return wrong.slice(0, 20)
}
