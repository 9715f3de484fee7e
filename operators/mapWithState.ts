import type { OperatorFunction } from 'rxjs'
import { jsonState } from '../src/codecs/jsonState.ts'
import { checkRecord, checkText, invalidArgument, isPromise, misuse, nameOf } from '../src/core/mistakes.ts'
import { refuseTo, stepOptions, type StepOptions } from '../src/core/stepOptions.ts'
import { operatorContext, type PipelineContext } from '../src/core/context.ts'
import { TidemarkError } from '../src/core/errors.ts'
import type { StateCodec } from '../src/core/ports/keyedState.ts'
import { operate } from '../src/core/operate.ts'
import type { StreamRecord } from '../src/core/record.ts'

/** The state after a record, undefined to forget the key, and what is passed on. */
export interface StateChange<S, U> {
  readonly state: S | undefined
  readonly output: U
}

export interface MapWithStateOptions<V, S, U> extends StepOptions {
  /** Names the state for as long as the job lives, over insertions and changes of order in the pipeline. */
  readonly uid: string
  /** The state of a key that has none. */
  readonly initial: (key: Buffer) => S
  /** The state after the record, and what is passed on. Synchronous; must not keep or change what it was given. */
  readonly update: (state: S, record: StreamRecord<V>) => StateChange<S, U>
  /** Bytes of a state. Default: canonical JSON of plain data. */
  readonly codec?: StateCodec<S>
}

const operator = 'mapWithState'

/**
 * Maps each record with the state of its key: `StreamRecord<V>` to `StreamRecord<U>`. The lasting counterpart of `scan`.
 *
 * Delivery: the state is part of the epoch's commit, so each record counts in it exactly once, over crashes and moves
 * between processes. The key is the record's own; within a task its records come in order.
 *
 * Errors, to `onError` or failing the epoch: `missing-key` (an empty key is a key), `state-too-large` (the state before
 * stays). What `initial` or `update` throws fails the epoch.
 *
 * Memory: the states that an epoch changes, which count for its byte limit; the others are on disk.
 *
 * @throws TidemarkError `invalid-argument`
 * @example mapWithState(context, { uid: 'counts', initial: () => 0, update: (n) => ({ state: n + 1, output: n + 1 }) })
 */
export function mapWithState<V, S, U>(
  context: PipelineContext,
  options: MapWithStateOptions<V, S, U>,
): OperatorFunction<StreamRecord<V>, StreamRecord<U>> {
  const { uid, initial, update, codec = jsonState<S>(), onError } = options
  checkText({ operator, option: 'uid', example: "uid: 'counts'" }, uid)
  for (const [option, value, example] of [
    ['initial', initial, 'initial: () => 0'],
    ['update', update, 'update: (count) => ({ state: count + 1, output: count })'],
  ] as const) {
    if (typeof value !== 'function') throw invalidArgument({ operator, option, example }, value, 'a function')
  }
  const attempt = operatorContext(context)
  const step = attempt.step({
    kind: operator,
    uid,
    ...stepOptions(options),
  })
  const states = attempt.state(step, uid, codec)
  const refuse = refuseTo(attempt, onError)

  return (source$) =>
    operate(step, source$, (destination) => ({
      next(record) {
        checkRecord(operator, record)
        const { key } = record
        if (key === null) {
          refuse(new TidemarkError('missing-key', `The record has no key; ${uid} keeps its state by key.`), record)
          return
        }
        const before = states.get(key)
        const { state, output } = checkedChange(
          update(before === undefined ? checkedInitial(initial(key), record) : before, record),
          record,
        )
        try {
          if (state !== undefined) states.set(key, state)
          else if (before !== undefined) states.delete(key)
        } catch (error) {
          if (!(error instanceof TidemarkError) || error.code !== 'state-too-large') throw error
          refuse(error, record)
          return
        }
        destination.next(record.withValue(output))
      },
    }))
}

function checkedInitial<S>(state: S, record: unknown): S {
  if (!isPromise(state)) return state
  throw misuse(operator, `initial returned a Promise. ${asyncStateRemedy}`, record)
}

/** Of a job in JavaScript, or with `any`: outputs would be undefined, and no state kept. */
function checkedChange<S, U>(change: StateChange<S, U>, record: unknown): StateChange<S, U> {
  const given: unknown = change
  const isChange = typeof given === 'object' && given !== null && 'state' in given && 'output' in given
  if (isChange && !isPromise(given.state) && !isPromise(given.output)) return change
  const what = isChange ? 'a Promise as state or output' : nameOf(given)
  const remedy = isChange || isPromise(given) ? asyncStateRemedy : 'Return { state, output } from it.'
  throw misuse(operator, `update returned ${what}, and has to return { state, output } at once. ${remedy}`, record)
}

const asyncStateRemedy =
  'Leave async out: state is read and written within its record. What has to be awaited belongs into an asyncLookup before it.'
