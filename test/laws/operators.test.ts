import { readdirSync } from 'node:fs'
import path from 'node:path'
import { concat, EMPTY, NEVER, Observable, of, take, throwError } from 'rxjs'
import { describe, expect, it } from 'vitest'
import type { StreamRecord } from '../../src/core/record.ts'
import { attemptStub, type AttemptStub } from '../support/attemptStub.ts'
import { sampleRecord } from '../support/sampleRecord.ts'
import type { Lawful } from './lawful.ts'

/** They have no source to be lawful about: one is a source itself, the other a client. */
const sourceless = new Set(['fromKafka', 'cassandraRow'])

/** Every file of operators/, under the laws in the file of its name. */
const lawful = await Promise.all(
  readdirSync('operators')
    .map((file) => path.basename(file, '.ts'))
    .filter((operator) => !sourceless.has(operator))
    .map(async (operator) => {
      const { laws } = (await import(`./operators/${operator}.ts`)) as { readonly laws: readonly Lawful[] }
      return laws.map((law) => ({ ...law, title: law.form === undefined ? operator : `${operator}, ${law.form}` }))
    }),
)

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

describe.each(lawful.flat())('$title', (operator) => {
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

  it.runIf(operator.callback !== false)(
    'turns what its callback throws into one error, reports it, and lets go of its source',
    async () => {
      const watch = watched(concat(of(...records), NEVER))
      const observed = observe(operator, watch.source$, { throwsAt: 1 })
      await turn()
      expect(observed.events.filter((event) => event === 'error')).toEqual(['error'])
      expect(String(observed.error())).toContain('bug')
      expect(watch.ended).toBe(1)
      if (operator.reports !== false)
        expect(observed.attempt.steps.map(({ errors }) => errors)).toEqual([[observed.error()]])
      settled(observed)
    },
  )
})
