import { describe, expect, test } from 'vitest'
import { counting, simulations } from './jobs.ts'
import { faultKinds, record, simulate, type FaultKind } from '../../src/testing/index.ts'

/** Seeds of each job in an ordinary run of the tests; `npm run proof` takes 100,000. */
const seeds = 200

const ofTables: ReadonlySet<FaultKind> = new Set<FaultKind>([
  'tables slow',
  'tables failing',
  'tables silent',
  'row change',
])
const ofDisks: ReadonlySet<FaultKind> = new Set<FaultKind>(['power loss', 'torn write', 'disk full'])
const ofTopics: ReadonlySet<FaultKind> = new Set<FaultKind>([
  'topic appears',
  'topic grows',
  'topic goes',
  'topic comes back',
])

/** What can go wrong with a job: nothing with tables, disks or patterns of topics that it does not have. */
const meaningful = (job: string): readonly FaultKind[] =>
  faultKinds.filter(
    (kind) =>
      (job.startsWith('reconcile') || !ofTables.has(kind)) &&
      (job === 'counting' || !ofDisks.has(kind)) &&
      (job === 'gathering' || !ofTopics.has(kind)),
  )

describe('the framework under simulation', () => {
  test.each(Object.entries(simulations))(
    `%s holds its promises under ${String(seeds)} seeds`,
    async (name, simulation) => {
      const report = await simulation({ seeds })
      expect(report.seeds).toBe(seeds)
      // Each kind of fault has struck.
      expect([...report.faults.keys()].toSorted()).toEqual([...meaningful(name)].toSorted())
    },
    60_000,
  )

  test.each(Object.entries(simulations))(
    '%s: the same seed gives the same run, byte for byte',
    async (_name, simulation) => {
      for (const seed of [3, 17, 40]) {
        const [first, second] = [await simulation({ seed }), await simulation({ seed })]
        expect(second.timeline.join('\n')).toBe(first.timeline.join('\n'))
        expect(first.timeline.length).toBeGreaterThan(50)
        expect(JSON.stringify([...second.outcome.order])).toBe(JSON.stringify([...first.outcome.order]))
      }
    },
  )

  test('two seeds give two runs', async () => {
    const run = simulations['counting']
    const [first, second] = [await run?.({ seed: 1 }), await run?.({ seed: 2 })]
    expect(second?.timeline).not.toEqual(first?.timeline)
  })

  test('a frozen process loses its tasks, and its late commit is refused', async () => {
    const report = await simulate(counting, {
      topics: { input: Array.from({ length: 40 }, (_, index) => record(String(index), { key: String(index % 3) })) },
      seed: 1,
      processes: [2],
      perSecond: 200,
      epochLengths: [40],
      history: [{ kind: 'freeze before', call: 'commit', nth: 4, ms: 9_000 }],
    })
    const story = report.timeline.join('\n')
    expect(story).toContain('FAULT freeze before at commit 4')
    expect(story).toMatch(/p\d is put out, its session has ended/)
    // What it sends when it thaws comes after the new owner's fence.
    expect(story.indexOf('its session has ended')).toBeLessThan(story.lastIndexOf('log.fence'))
    expect(story).toMatch(/p\d {5}says: .*this one is fenced/)
  })
})
