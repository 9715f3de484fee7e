import type { FaultedJob } from './faultRun.ts'

const keysEach = 100

/**
 * test/support/jobs/append.ts, which appends each message to the list of its key in keyed state and writes the list: each
 * output says alone, to any reader, whether the state before it was right. Epochs are small, so that there is work for all
 * of a test.
 */
export function appendUnderFaults(): FaultedJob {
  return {
    file: 'test/support/jobs/append.ts',
    groupId: 'append',
    input: 'append-events',
    outputs: ['append-lists', 'append-dlq'],
    message: (id, n) => ({ key: `${id.split(':')[0] ?? ''}-${String(n % keysEach)}`, value: id }),
    expected({ topic, key, value }) {
      const { event } = JSON.parse(value) as { readonly event: string }
      const [partition = '', number = ''] = event.split(':')
      const before = Math.floor(Number(number) / keysEach)
      const list = Array.from(
        { length: before + 1 },
        (_, n) => `${partition}:${String(n * keysEach + (Number(number) % keysEach))}`,
      )
      const right = JSON.stringify({ event, list })
      return topic === 'append-lists' && value === right ? null : `${key} in ${topic}: ${value} instead of ${right}`
    },
    settings: { 'checkpoint.max.bytes': 2_048 },
    unlimited: { 'checkpoint.max.bytes': 1_000_000 },
  }
}
