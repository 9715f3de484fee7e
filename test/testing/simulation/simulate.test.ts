import { map, mergeMap, toArray } from 'rxjs'
import { describe, expect, test } from 'vitest'
import { fromKafka } from '../../../operators/fromKafka.ts'
import { toKafka, toKafkaTransactional } from '../../../operators/toKafka.ts'
import { sideOutput } from '../../../operators/sideOutput.ts'
import { operatorContext } from '../../../src/core/context.ts'
import type { DeadLetter } from '../../../src/core/deadLetter.ts'
import { messageOf, TidemarkError } from '../../../src/core/errors.ts'
import type { StreamRecord } from '../../../src/core/record.ts'
import { defineJob } from '../../../src/runtime/plan/defineJob.ts'
import {
  ABORT,
  record,
  simulate,
  SimulationFailure,
  type Fault,
  type PositionResult,
} from '../../../src/testing/index.ts'
import { counting, simulations } from '../../simulation/jobs.ts'

const copy = defineJob({
  name: 'copy',
  pipeline: (context) =>
    fromKafka(context, { topic: 'input', groupId: 'copy' }).pipe(toKafkaTransactional(context, { topic: 'output' })),
})

const input = Array.from({ length: 20 }, (_, index) => record(String(index), { key: String(index % 4) }))

async function failure(run: Promise<unknown>): Promise<SimulationFailure> {
  const thrown = await run.then(
    () => undefined,
    (error: unknown) => error,
  )
  if (thrown instanceof SimulationFailure) return thrown
  throw new Error('the simulation found nothing', { cause: thrown })
}

/** Remembers in its process what it has read, so that a replay shows; a new process begins anew. */
const forgetful = (): typeof copy => {
  const seen = new Set<string>()
  return defineJob({
    name: 'forgetful',
    pipeline(context) {
      if (operatorContext(context).planning) seen.clear()
      return fromKafka(context, { topic: 'input', groupId: 'forgetful' }).pipe(
        map((one) => {
          const value = one.value?.toString() ?? ''
          const isReplay = seen.has(value)
          seen.add(value)
          return one.withValue(isReplay ? 'seen before' : 'new')
        }),
        toKafkaTransactional(context, { topic: 'output' }),
      )
    },
  })
}

describe('simulate', () => {
  test('reports what a sound job has gone through', async () => {
    const report = await simulate(copy, { topics: { input }, seeds: 50 })
    expect(report.seeds).toBe(50)
    expect(report.commits).toBeGreaterThan(50)
    expect([...report.faults.keys()]).toContain('crash before')
    expect(report.outcome.positions.size).toBe(20)
    // Neither lookups nor state: what concerns them does not strike.
    expect([...report.faults.keys()]).not.toContain('tables slow')
    expect([...report.faults.keys()]).not.toContain('disk full')
  })

  test('a failure holds invariant, smallest history, timeline and the command that repeats it', async () => {
    const options = {
      topics: { input: input.slice(0, 6) },
      partitions: 1,
      processes: [1],
      repeat: 'npx vitest run my.test.ts',
    }
    const error = await failure(simulate(forgetful(), { ...options, seeds: 200 }))
    expect(error.invariant).toBe('same results')
    expect(error.faults).toHaveLength(1)
    expect(error.message).toContain("Job 'forgetful' broke an invariant: same results.")
    expect(error.message).toMatch(/gave output \d = seen before; without faults it gives output \d = new/)
    expect(error.message).toMatch(/\d\.\d{3} s {2}p\d {5}FAULT /)
    expect(error.message).toMatch(/COMMIT task 0 epoch 0: input 0/)
    expect(error.message).toMatch(/VIOLATED|all is committed and quiet/)
    expect(error.message).toContain(`Repeat it: TIDEMARK_SEED=${String(error.seed)} npx vitest run my.test.ts`)
    // One line an event, in order of time.
    const times = error.timeline.map((line) => Number(line.slice(0, 9)))
    expect(times).toEqual(times.toSorted((a, b) => a - b))
    const again = await failure(simulate(forgetful(), { ...options, seed: error.seed ?? 0 }))
    expect(again.message).toBe(error.message)
  })

  test('a history can be given, and only it happens', async () => {
    const history: readonly Fault[] = [{ kind: 'crash after', call: 'commit', nth: 3, ms: 100 }]
    const { faults, timeline } = await simulate(copy, { topics: { input }, seed: 5, history })
    expect([...faults]).toEqual([['crash after', 1]])
    expect(timeline.filter((line) => line.includes('FAULT'))).toHaveLength(1)
    expect(timeline.join('\n')).toContain('starts again')
  })

  test('faults can be chosen, and none at all are none', async () => {
    const only = await simulate(copy, { topics: { input }, seeds: 40, faults: ['crash before', 'rebalance'] })
    expect([...only.faults.keys()].toSorted()).toEqual(['crash before', 'rebalance'])
    expect((await simulate(copy, { topics: { input }, seeds: 5, maxFaults: 0 })).faults.size).toBe(0)
  })

  test('each seed can have input of its own', async () => {
    const sizes = new Set<number>()
    for (const seed of [1, 2, 3, 4]) {
      const report = await simulate(copy, {
        topics: (random) => ({ input: input.slice(0, 1 + Math.floor(random.next() * 19)) }),
        seed,
      })
      sizes.add(report.outcome.positions.size)
    }
    expect(sizes.size).toBeGreaterThan(1)
  })

  test('a job that makes several outputs of a record, or none, is held to the same', async () => {
    const expand = defineJob({
      name: 'expand',
      pipeline: (context) =>
        fromKafka(context, { topic: 'input', groupId: 'expand' }).pipe(
          mergeMap((one: StreamRecord) => Array.from({ length: Number(one.value?.toString()) % 3 }, () => one)),
          toKafkaTransactional(context, { topic: 'output' }),
        ),
    })
    const report = await simulate(expand, { topics: { input }, seeds: 50 })
    const outputs = [...report.outcome.positions.values()].map((one) => one.outputs.length)
    expect(outputs.toSorted((a, b) => a - b)).toEqual([
      ...Array.from({ length: 7 }, () => 1),
      ...Array.from({ length: 6 }, () => 2),
    ])
  })

  test('outputs that keep no header are told apart by the job, or compared as a whole', async () => {
    const bare = defineJob({
      name: 'bare',
      pipeline: (context) =>
        fromKafka(context, { topic: 'input', groupId: 'bare' }).pipe(
          toKafkaTransactional(context, { topic: 'output', headers: () => [] }),
        ),
    })
    const whole = await simulate(bare, { topics: { input }, seeds: 30 })
    expect(whole.outcome.unplaced).toHaveLength(20)
    const positionOf = ({ value }: { readonly value: Buffer | null }): string => `input 0@${value?.toString() ?? ''}`
    const placed = await simulate(bare, { topics: { input }, partitions: 1, seeds: 30, positionOf })
    expect(placed.outcome.positions.size).toBe(20)
  })

  test('a sink that is at least once may repeat itself, and loses nothing', async () => {
    const loose = defineJob({
      name: 'loose',
      pipeline: (context) =>
        fromKafka(context, { topic: 'input', groupId: 'loose' }).pipe(
          toKafka(context, { topic: 'output', guarantee: 'at-least-once' }),
        ),
    })
    const history: readonly Fault[] = [{ kind: 'crash before', call: 'commit', nth: 4, ms: 10 }]
    const report = await simulate(loose, { topics: { input }, seed: 1, history })
    const outputs = [...report.outcome.positions.values()].map((one) => one.outputs.length)
    expect(Math.min(...outputs)).toBe(1)
    expect(Math.max(...outputs)).toBe(2)
  })

  test('a reset reads everything once more, with empty state, and counts as an act of the whole job', async () => {
    const history: readonly Fault[] = [{ kind: 'reset', call: 'commit', nth: 4, ms: 100 }]
    const report = await simulate(counting, { topics: { input }, perSecond: 100, seed: 3, processes: [2], history })
    const story = report.timeline.join('\n')
    expect(story).toContain('the reset is decided; all start')
    const outputs = [...report.outcome.positions.values()].map((one) => one.outputs)
    expect(Math.max(...outputs.map((one) => one.length))).toBe(2)
    // The second pass began with nothing: it says what the first has said.
    expect(outputs.every((one) => new Set(one).size === 1)).toBe(true)
  })

  describe('the topics of a pattern', () => {
    /** What became of the gathering job's topics in one history, and how often each topic's records came out. */
    const lives = async (
      ...history: readonly Fault[]
    ): Promise<{ readonly story: string; readonly outputs: Readonly<Record<string, number>> }> => {
      const { timeline, outcome } = (await simulations['gathering']?.({ seed: 4, processes: [2], history })) ?? {
        timeline: [],
        outcome: { positions: new Map<string, PositionResult>() },
      }
      const outputs: Record<string, number> = {}
      for (const [position, result] of outcome.positions) {
        const name = position.slice(0, position.lastIndexOf(' '))
        outputs[name] = (outputs[name] ?? 0) + result.outputs.length
      }
      return { story: timeline.join('\n'), outputs }
    }
    const allOnce = { 'parcels-north': 18, 'parcels-east': 12, 'parcels-west': 8, 'parcels-south': 4 }

    test('appear and grow while the job runs, and all their records are read', async () => {
      const { story, outputs } = await lives(
        { kind: 'topic appears', call: 'commit', nth: 3, ms: 0 },
        { kind: 'topic grows', call: 'commit', nth: 4, ms: 0 },
      )
      expect(story).toMatch(/parcels-east is made, with 2 partitions/)
      expect(story).toMatch(/parcels-north grows to 3 partitions/)
      expect(outputs).toEqual(allOnce)
    })

    test('appear also where the call that they wait for never comes', async () => {
      const { story, outputs } = await lives({ kind: 'topic appears', call: 'commit', nth: 2_000, ms: 0 })
      expect(story).not.toContain('FAULT')
      expect(outputs).toEqual(allOnce)
    })

    test('go when they are read, and what came back is read from its beginning', async () => {
      const { story, outputs } = await lives(
        { kind: 'topic goes', call: 'commit', nth: 2, ms: 0 },
        { kind: 'topic comes back', call: 'commit', nth: 5, ms: 0 },
      )
      expect(story).toContain('parcels-west is deleted')
      expect(story).toMatch(/parcels-east is deleted[^]*parcels-east is made anew, with 12 records/)
      expect(outputs).toEqual({ ...allOnce, 'parcels-east again': 12 })
    })

    test('stay as they are in a job that lists them', async () => {
      const history: readonly Fault[] = [{ kind: 'topic comes back', call: 'commit', nth: 2, ms: 0 }]
      const { timeline } = await simulate(copy, { topics: { input }, seed: 5, history })
      expect(timeline.join('\n')).toContain('FAULT topic comes back')
      expect(timeline.join('\n')).not.toContain('is deleted')
    })
  })

  test('a broker that refuses records, or all of them for a while, changes nothing in what comes of the others', async () => {
    const refuses = ({ value }: { readonly value: Buffer | null }): TidemarkError | null =>
      value?.toString() === '7' ? new TidemarkError('invalid-output', 'Not this one.') : null
    const careful = defineJob({
      name: 'careful',
      pipeline(context) {
        const deadLetters = sideOutput<DeadLetter>(context, 'dead-letters')
        return [
          fromKafka(context, { topic: 'input', groupId: 'careful' }).pipe(
            toKafkaTransactional(context, { topic: 'output', onError: deadLetters }),
          ),
          deadLetters.records$.pipe(toKafkaTransactional(context, { topic: 'refused' })),
        ]
      },
    })
    const options = {
      topics: { input },
      outputs: { output: { refuses } },
      faults: ['log refusing', 'crash after'],
    } as const
    const report = await simulate(careful, { ...options, seeds: 40 })
    const dead = [...report.outcome.positions.values()].flatMap(({ deadLetters }) => deadLetters)
    expect(dead).toEqual(['refused invalid-output'])
    expect([...report.faults.keys()]).toContain('log refusing')
  })

  test('order is checked where it is asked for', async () => {
    const backwards = defineJob({
      name: 'backwards',
      pipeline: (context) =>
        fromKafka(context, { topic: 'input', groupId: 'backwards' }).pipe(
          toArray(),
          mergeMap((all) => all.toReversed()),
          toKafkaTransactional(context, { topic: 'output' }),
        ),
    })
    expect((await simulate(copy, { topics: { input }, seeds: 20, order: 'partition' })).seeds).toBe(20)
    expect((await simulate(backwards, { topics: { input }, seeds: 5 })).seeds).toBe(5)
    const error = await failure(simulate(backwards, { topics: { input }, seeds: 5, order: 'key' }))
    expect(error.invariant).toBe('order')
    expect(error.message).toMatch(/the output of input \d@\d+ stands behind that of @\d+ with the same key \d/)
  })

  test("a job's own invariants are checked, and named", async () => {
    const error = await failure(
      simulate(copy, {
        topics: { input },
        seeds: 5,
        invariants: { 'at most ten': ({ positions }) => (positions.size > 10 ? 'there are more' : null) },
      }),
    )
    expect(error.message).toContain("Job 'copy' broke an invariant: at most ten.")
    expect(error.seed).toBeNull()
  })

  test('what stops the job is a finding', async () => {
    const poisoned = defineJob({
      name: 'poisoned',
      pipeline: (context) =>
        fromKafka(context, { topic: 'input', groupId: 'poisoned' }).pipe(
          map((one) => {
            if (one.value?.toString() === '7') throw new Error('cannot take 7')
            return one
          }),
          toKafkaTransactional(context, { topic: 'output' }),
        ),
    })
    const error = await failure(simulate(poisoned, { topics: { input }, seeds: 1 }))
    expect(error.invariant).toBe('progress after the faults end')
    expect(error.message).toContain('cannot take 7')
  })

  test('marks of a test source are refused, and so is a seed that is none', async () => {
    await expect(simulate(copy, { topics: { input: ['a', ABORT] }, seeds: 1 })).rejects.toThrow(/Those are for runJob/)
    expect(
      messageOf(await simulate(copy, { topics: { input }, seed: 0.5 }).catch((error: unknown) => error)),
    ).toContain('A seed must be an integer')
  })

  test('state survives power losses, torn writes and full disks', async () => {
    const report = await simulate(counting, {
      topics: { input },
      perSecond: 100,
      seeds: 150,
      faults: ['power loss', 'torn write', 'disk full', 'crash after', 'rebalance'],
    })
    expect([...report.faults.keys()].toSorted()).toEqual([
      'crash after',
      'disk full',
      'power loss',
      'rebalance',
      'torn write',
    ])
    expect(report.outcome.state.size).toBe(0)
    // Every key is forgotten with its fifth record.
    expect(report.outcome.positions.size).toBe(20)
  })
})
