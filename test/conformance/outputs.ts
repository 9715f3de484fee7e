import { describe, expect, test } from 'vitest'
import { output, type TestedLog } from './taskLogSteps.ts'

/** What every log must know of the topics that sinks write. */
export function outputsConformance({ fenced }: TestedLog): void {
  describe('outputs', () => {
    test('knows which partitions a topic has', async () => {
      const log = await fenced()
      // A topic may have to be looked up first.
      const refusal = (partition: number) => log.outputs.refusal({ ...output('orders', 'x'), partition })
      await expect.poll(() => refusal(2)).toMatchObject({ code: 'invalid-output', details: { field: 'partition' } })
      expect([0, 1, 100].map((partition) => refusal(partition)?.code)).toEqual([undefined, undefined, 'invalid-output'])
    })

    test('knows how large a record may be', async () => {
      const log = await fenced()
      await expect.poll(() => log.outputs.refusal({ ...output('orders', 'x'), partition: 2 })).not.toBeNull()
      const large = (bytes: number) => log.outputs.refusal({ ...output('orders', ''), value: Buffer.alloc(bytes) })
      expect(large(1_000_000)).toBeNull()
      expect(large(17 * 1024 * 1024)).toMatchObject({ code: 'record-too-large', details: { field: 'value' } })
    })
  })
}
