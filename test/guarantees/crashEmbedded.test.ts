import { beforeAll, describe, expect, it } from 'vitest'
import { seededRandom } from '../../src/testing/world/seededRandom.ts'
import type { CrashCase } from '../support/crashes/crashCase.ts'
import { countCase, reconcileCase } from '../support/crashes/crashFixtures.ts'
import { firstViolation, prepareTrials, tryCrashes, type Trial, type Trials } from '../support/crashes/crashTrial.ts'
import type { PlantedFault } from '../support/crashes/crashWorld.ts'
import { everyCrash, type Crash } from '../support/crashes/mortalProcess.ts'
import { positionBeforeState, stateBeforeCommit, topicApart } from '../support/crashes/plantedFaults.ts'

const pairs = 120
const timeoutMs = 120_000

/**
 * Two crashes, in the first process and in the one that follows it. The second call is drawn from those that the second
 * process is known to make, so that it always happens.
 */
function randomPairs(once: readonly Trial[]): readonly (readonly [Crash, Crash])[] {
  const random = seededRandom(3)
  const below = (count: number): number => Math.floor(random.next() * count)
  return Array.from({ length: pairs }, () => {
    const first = once[below(once.length)]
    const [crash] = first?.crashes ?? []
    if (first === undefined || crash === undefined) throw new Error('there was no crash')
    const call = below(first.calls[1] ?? 0)
    return [crash, { call, point: random.next() < 0.5 ? 'before' : 'after', losesPower: random.next() < 0.5 }]
  })
}

function violationsOf(trials: readonly Trial[]): readonly Trial[] {
  return trials.filter(({ violation }) => violation !== null)
}

describe.each([
  { what: 'jobs/reconcile.ts', fixture: reconcileCase, results: 48, deadLetters: 12 },
  { what: 'a job with keyed state', fixture: countCase, results: 56, deadLetters: 4 },
])('$what on the embedded world, under crashes', ({ fixture, results, deadLetters }) => {
  let trials: Trials
  const once: Trial[] = []

  beforeAll(async () => {
    trials = await prepareTrials(await fixture())
    for (const crash of everyCrash(trials.calls)) once.push(await tryCrashes(trials, [crash]))
  }, timeoutMs)

  it('has results and dead letters, several epochs, and many calls to crash in', () => {
    const dead = [...trials.oracle.values()].filter((output) => /^\["[a-z]+-dlq"/.test(output))
    expect(dead).toHaveLength(deadLetters)
    expect(trials.oracle.size).toBe(results + deadLetters)
    expect(trials.epochs.every((epochs) => epochs >= 4)).toBe(true)
    expect(trials.epochs).toHaveLength(2)
    expect(trials.calls).toBeGreaterThan(70)
  })

  it('comes through a crash at every call, with outputs, dead letters, positions and state of a run without one', () => {
    expect(violationsOf(once)).toEqual([])
    expect(once).toHaveLength(2 * trials.calls)
    expect(once.every(({ died }) => died === 1)).toBe(true)
  })

  it(
    'comes through two crashes at random calls',
    async () => {
      const twice: Trial[] = []
      for (const crashes of randomPairs(once)) twice.push(await tryCrashes(trials, crashes))
      expect(violationsOf(twice)).toEqual([])
      expect(twice.every(({ died }) => died === 2)).toBe(true)
    },
    timeoutMs,
  )
})

describe('the crashes find a fault that is planted', () => {
  const withFault = async (fixture: () => Promise<CrashCase>, fault: PlantedFault): Promise<Trials> =>
    prepareTrials(await fixture(), fault)

  it.each([
    ['jobs/reconcile.ts', reconcileCase],
    ['a job with keyed state', countCase],
  ])(
    'nothing is synced, so that %s loses with the power what readers have seen',
    async (_, fixture) => {
      const trials = await withFault(fixture, { ignoreSync: true })
      expect(await firstViolation(trials, true)).toMatch(/a reader has seen what is not there any more/)
    },
    timeoutMs,
  )

  it(
    'nothing is synced, and the power stays: then nothing is lost',
    async () => {
      expect(await firstViolation(await withFault(countCase, { ignoreSync: true }), false)).toBeNull()
    },
    timeoutMs,
  )

  it.each([
    [
      'results are written before their commit',
      reconcileCase,
      topicApart('reconcile', 'before'),
      /of an input that is not committed/,
    ],
    [
      'results are written after their commit',
      reconcileCase,
      topicApart('reconcile', 'after'),
      /is committed and has no output/,
    ],
    [
      'dead letters are written before their commit',
      reconcileCase,
      topicApart('reconcile-dlq', 'before'),
      /of an input that is not committed/,
    ],
    [
      'dead letters are written after their commit',
      reconcileCase,
      topicApart('reconcile-dlq', 'after'),
      /is committed and has no output/,
    ],
    [
      'the changelog is written after its commit',
      countCase,
      topicApart('count-source-changelog', 'after'),
      /^the changelog of partition/,
    ],
    ['local state names its commit before it holds it', countCase, positionBeforeState, /"count.* instead of /],
    ['local state is changed before the commit', countCase, stateBeforeCommit, /"count.* instead of /],
  ] as const)(
    '%s',
    async (_, fixture, fault, violation) => {
      expect(await firstViolation(await withFault(fixture, fault), false)).toMatch(violation)
    },
    timeoutMs,
  )
})
