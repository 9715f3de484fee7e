import { Subject, type Subscription } from 'rxjs'
import { asyncLookup, type KeptLookup, type LookedUp } from '../../operators/asyncLookup.ts'
import type { DeadLetter } from '../../src/core/deadLetter.ts'
import type { LookupClient } from '../../src/core/ports/lookup.ts'
import type { LookupOptions } from '../../src/lookup/lookupPolicy.ts'
import type { StreamRecord } from '../../src/core/record.ts'
import { ManualClock } from '../../src/testing/world/manualClock.ts'
import {
  attemptStub,
  type AttemptStub,
  type AttemptStubOptions,
  type SideOutputStub,
  type StepStub,
} from './attemptStub.ts'
import { numberedRecords } from './sampleRecord.ts'

/** `asyncLookup` under test: a source to push into, and all that came out. */
export interface LookupRun {
  readonly clock: ManualClock
  readonly attempt: AttemptStub
  readonly step: StepStub
  readonly statistics: KeptLookup['statistics']
  readonly source$: Subject<StreamRecord<number>>
  readonly outputs: StreamRecord<LookedUp<number, string>>[]
  readonly deadLetters: SideOutputStub<DeadLetter>
  readonly subscription: Subscription
  readonly end: { completed: boolean; error: unknown }
  /** Pushes records with these values. */
  push(...values: number[]): void
  /** Values passed on, in order. */
  values(): number[]
  /** Values refused, in order. */
  refused(): number[]
  /** Their error codes. */
  codes(): string[]
}

export function runLookup(
  lookup: LookupClient<number, string>,
  options: Partial<LookupOptions> & { readonly failing?: boolean } = {},
  attemptOptions: AttemptStubOptions = {},
): LookupRun {
  const clock = new ManualClock()
  const attempt = attemptStub({ clock, ...attemptOptions })
  const deadLetters = attempt.sideOutput<DeadLetter>('dead-letters')
  const { failing = false, ...lookupOptions } = options
  const source$ = new Subject<StreamRecord<number>>()
  const outputs: StreamRecord<LookedUp<number, string>>[] = []
  const end: LookupRun['end'] = { completed: false, error: undefined }
  const subscription = source$
    .pipe(
      asyncLookup(attempt.context, {
        wait: 'unordered',
        ...(failing ? {} : { onError: deadLetters }),
        ...lookupOptions,
        lookup,
      }),
    )
    .subscribe({
      next: (record) => outputs.push(record),
      error: (error: unknown) => {
        end.error = error
      },
      complete: () => {
        end.completed = true
      },
    })
  const [step] = attempt.steps
  if (step === undefined) throw new Error('asyncLookup did not register')
  const { statistics } = attempt.kept.get(step.name) as KeptLookup
  return {
    clock: attempt.context.clock instanceof ManualClock ? attempt.context.clock : clock,
    attempt,
    step,
    statistics,
    source$,
    outputs,
    deadLetters,
    subscription,
    end,
    push(...values) {
      for (const value of values) for (const record of numberedRecords(value + 1).slice(-1)) source$.next(record)
    },
    values: () => outputs.map((record) => record.value.message),
    refused: () => deadLetters.emitted.map(({ offset }) => offset),
    codes: () => deadLetters.emitted.map(({ error }) => error.code),
  }
}
