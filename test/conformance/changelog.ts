import { describe, expect, test } from 'vitest'
import { commit, entry, readChangelog, type TaskLogTraits, type TestedLog } from './taskLogSteps.ts'

/** What the changelog of every task must do. */
export function changelogConformance(
  { world, fenced }: TestedLog,
  { marker = 0, compactsWhenAsked = true }: TaskLogTraits,
): void {
  describe('changelog', () => {
    test('is read from any offset to any other, in order', async () => {
      const log = await fenced()
      const entries = Array.from({ length: 2_500 }, (_, n) => entry(`key-${String(n)}`, String(n)))
      await commit(log, { epoch: 0, position: 0, changelog: entries.slice(0, 1_500) })
      await commit(log, { epoch: 1, position: 0, changelog: entries.slice(1_500) })
      const end = 2_500 + 2 * marker
      expect(await readChangelog(log, 0, end)).toEqual(entries)
      expect(await readChangelog(log, 1_499, 1_502 + marker)).toEqual(entries.slice(1_499, 1_502))
      expect(await readChangelog(log, end, end)).toEqual([])
    })

    test.runIf(compactsWhenAsked)(
      'compaction keeps the last entry of each key and the end, and reads go on over the gaps',
      async () => {
        const log = await fenced()
        const values = ['1', '2', '3']
        for (const [epoch, value] of values.entries()) {
          const changelog = [entry('a', value), entry(`only-${value}`, value), entry('b', value)]
          await commit(log, { epoch, position: 0, changelog })
        }
        await log.changelog.compact(() => true)
        const kept = [
          entry('only-1', '1'),
          entry('only-2', '2'),
          entry('a', '3'),
          entry('only-3', '3'),
          entry('b', '3'),
        ]
        expect(await readChangelog(log, 0)).toEqual(kept)
        expect(await readChangelog(log, 6)).toEqual(kept.slice(2))
        expect((await log.changelog.range()).end).toBe(9)
        await commit(log, { epoch: 3, position: 0, changelog: [entry('c', '4')] })
        expect((await log.changelog.range()).end).toBe(10)
        await world().crash()
        expect(await readChangelog(await fenced(), 0)).toEqual([...kept, entry('c', '4')])
      },
    )

    test.runIf(compactsWhenAsked)(
      'compaction drops what is not kept, and the end stays also when that is everything',
      async () => {
        const log = await fenced()
        await commit(log, {
          epoch: 0,
          position: 0,
          changelog: [entry('old', '1'), entry('new', '2'), entry('old', '3')],
        })
        await log.changelog.compact((key) => key.toString() === 'new')
        expect(await readChangelog(log, 0)).toEqual([entry('new', '2')])
        await log.changelog.compact(() => false)
        expect(await readChangelog(log, 0)).toEqual([])
        expect((await log.changelog.range()).end).toBe(3)
        await world().crash()
        const next = await fenced()
        expect((await next.changelog.range()).end).toBe(3)
        await commit(next, { epoch: 1, position: 0, changelog: [entry('k', '4')] })
        expect(await readChangelog(next, 3)).toEqual([entry('k', '4')])
      },
    )
  })
}
