import { concat, EMPTY, NEVER, Observable, of, take, throwError, type OperatorFunction } from 'rxjs'
import * as t from 'io-ts'
import { describe, expect, it } from 'vitest'
import { asyncLookup } from '../../operators/asyncLookup.ts'
import { decodeJson } from '../../operators/decodeJson.ts'
import { mapWithState } from '../../operators/mapWithState.ts'
import { sha256Hash } from '../../operators/sha256Hash.ts'
import { sideOutput } from '../../operators/sideOutput.ts'
import { toKafkaTransactional } from '../../operators/toKafkaTransactional.ts'
import type { PipelineContext, SideOutput } from '../../src/core/context.ts'
import type { StreamRecord } from '../../src/core/record.ts'
import { attemptStub, type AttemptStub } from '../support/attemptStub.ts'
import { sampleRecord } from '../support/sampleRecord.ts'

/** An operator as the laws see it: with one callback that throws for the offset it is given. */
interface Lawful {
  readonly name: string
  /** False: it has no callback of the job's. */
  readonly callback: boolean
  /** False: it is a stock operator, which reports nothing to the task. */
  readonly reports: boolean
  build(context: PipelineContext, throwsAt: number): OperatorFunction<StreamRecord, unknown>
}

const bug = new Error('bug')

function throwAt(offset: number, throwsAt: number): void {
  if (offset === throwsAt) throw bug
}

function lookup(wait: 'ordered' | 'unordered', inGroups: boolean): Lawful['build'] {
  return (context, throwsAt) => {
    const one = (_: unknown, record: StreamRecord): Promise<string> => {
      throwAt(record.offset, throwsAt)
      return Promise.resolve('row')
    }
    const client = {
      name: 'laws',
      lookup: () => Promise.reject(bug),
      lookupMany: (values: readonly unknown[]) =>
        throwsAt >= 0 ? Promise.reject(bug) : Promise.resolve(values.map(() => ({ kind: 'miss' as const }))),
    }
    return inGroups ? asyncLookup(context, { lookup: client, wait }) : asyncLookup(context, { lookup: one, wait })
  }
}

const operators: readonly Lawful[] = [
  {
    name: 'decodeJson',
    callback: true,
    reports: true,
    build: (context, throwsAt) => {
      const parity = new t.Type(
        'number',
        t.number.is,
        (value, where) => {
          throwAt(Number(value), throwsAt)
          return t.number.validate(value, where)
        },
        t.identity,
      )
      return decodeJson(context, parity)
    },
  },
  {
    name: 'sha256Hash',
    callback: true,
    reports: false,
    build: (_, throwsAt) => (source$) =>
      new Observable<StreamRecord<{ readonly row: { readonly encoded: string } }>>((destination) =>
        source$.subscribe({
          next: (record) => {
            const row = {
              get encoded() {
                throwAt(record.offset, throwsAt)
                return ''
              },
            }
            destination.next(record.withValue({ row }))
          },
          error: (error) => {
            destination.error(error)
          },
          complete: () => {
            destination.complete()
          },
        }),
      ).pipe(sha256Hash({ messageAs: 'a', rowAs: 'b' })),
  },
  {
    name: 'toKafkaTransactional',
    callback: true,
    reports: true,
    build: (context, throwsAt) =>
      toKafkaTransactional(context, {
        topic: (record: StreamRecord) => {
          throwAt(record.offset, throwsAt)
          return 'out'
        },
      }),
  },
  {
    name: 'mapWithState',
    callback: true,
    reports: true,
    build: (context, throwsAt) =>
      mapWithState(context, {
        uid: 'laws',
        initial: () => 0,
        update: (state: number, record) => {
          throwAt(record.offset, throwsAt)
          return { state, output: state }
        },
      }),
  },
  { name: 'asyncLookup, ordered', callback: true, reports: true, build: lookup('ordered', false) },
  { name: 'asyncLookup, unordered', callback: true, reports: true, build: lookup('unordered', false) },
  { name: 'asyncLookup, in groups', callback: true, reports: true, build: lookup('ordered', true) },
  {
    name: 'sideOutput by position',
    callback: false,
    reports: true,
    build: (context) => (source$) => {
      const inner = { name: 'laws', emit: () => undefined, records$: source$ }
      // The side output of this context is the source under test, of whatever type the operator asks for.
      const sideOutputOf = <T>(): SideOutput<T> => inner as unknown as SideOutput<T>
      return sideOutput<StreamRecord>({ ...context, sideOutput: sideOutputOf }, 'laws', { order: 'position' }).records$
    },
  },
]

const records = [0, 1, 2].map((offset) => sampleRecord(String(offset), { offset, key: 'k' }))

interface Observed {
  readonly attempt: AttemptStub
  readonly events: string[]
  readonly error: () => unknown
  readonly unsubscribe: () => void
}

function observe(
  operator: Lawful,
  source$: Observable<StreamRecord>,
  options: { throwsAt?: number; taking?: number } = {},
): Observed {
  const attempt = attemptStub()
  const events: string[] = []
  let failure: unknown
  const out$ = source$.pipe(operator.build(attempt.context, options.throwsAt ?? -1))
  const subscription = (options.taking === undefined ? out$ : out$.pipe(take(options.taking))).subscribe({
    next: () => events.push('value'),
    error: (error: unknown) => {
      failure = error
      events.push('error')
    },
    complete: () => events.push('complete'),
  })
  const unsubscribe = (): void => {
    subscription.unsubscribe()
  }
  return { attempt, events, error: () => failure, unsubscribe }
}

/** Lets promise reactions run. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** A source that tells whether it has been torn down. */
function watched(source$: Observable<StreamRecord>): { readonly source$: Observable<StreamRecord>; ended: number } {
  const watch = {
    ended: 0,
    source$: new Observable<StreamRecord>((destination) => {
      destination.add(() => (watch.ended += 1))
      return source$.subscribe(destination)
    }),
  }
  return watch
}

describe.each(operators)('$name', (operator) => {
  /** Steps that were told of a subscription have been told of its end, once. */
  const settled = ({ attempt }: Observed): void => {
    for (const step of attempt.steps) {
      expect([step.entered, step.left, step.endings]).toEqual([1, 1, 1])
    }
    expect(attempt.gate.closed).toBe(false)
  }

  it('completes at once, without a value, when its source is empty', () => {
    const observed = observe(operator, EMPTY)
    expect(observed.events).toEqual(['complete'])
    settled(observed)
  })

  it('says nothing while its source says nothing, and lets go of it when unsubscribed', async () => {
    const watch = watched(NEVER)
    const observed = observe(operator, watch.source$)
    await turn()
    expect(observed.events).toEqual([])
    observed.unsubscribe()
    expect(watch.ended).toBe(1)
    settled(observed)
  })

  it('passes all values of a source that completes while it is subscribed, then completes', async () => {
    const observed = observe(operator, of(...records))
    await turn()
    expect(observed.events).toEqual(['value', 'value', 'value', 'complete'])
    expect(observed.attempt.steps.map(({ pending, errors }) => [pending, errors])).toEqual(
      observed.attempt.steps.map(() => [0, []]),
    )
    settled(observed)
  })

  it('passes the error of its source on as it is, once, without calling it its own', async () => {
    const failing = new Error('source')
    const observed = observe(
      operator,
      concat(
        of(...records),
        throwError(() => failing),
      ),
    )
    await turn()
    expect(observed.events.filter((event) => event !== 'value')).toEqual(['error'])
    expect(observed.error()).toBe(failing)
    for (const { errors } of observed.attempt.steps) expect(errors).toEqual([])
    settled(observed)
  })

  it('lets go of its source when it is unsubscribed early, and says nothing more', async () => {
    const watch = watched(concat(of(...records), NEVER))
    const observed = observe(operator, watch.source$, { taking: 1 })
    await turn()
    observed.unsubscribe()
    await turn()
    expect(observed.events.filter((event) => event === 'value').length).toBeLessThanOrEqual(1)
    expect(watch.ended).toBe(1)
    settled(observed)
  })

  it.runIf(operator.callback)(
    'turns what its callback throws into one error, reports it, and lets go of its source',
    async () => {
      const watch = watched(concat(of(...records), NEVER))
      const observed = observe(operator, watch.source$, { throwsAt: 1 })
      await turn()
      expect(observed.events.filter((event) => event === 'error')).toEqual(['error'])
      expect(String(observed.error())).toContain('bug')
      expect(watch.ended).toBe(1)
      if (operator.reports) expect(observed.attempt.steps.map(({ errors }) => errors)).toEqual([[observed.error()]])
      settled(observed)
    },
  )
})
