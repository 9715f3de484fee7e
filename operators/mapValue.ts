import { map, type OperatorFunction } from 'rxjs'
import { asyncRemedy, checkRecord, isPromise, misuse } from '../src/core/mistakes.ts'
import type { StreamRecord } from '../src/core/record.ts'

const operator = 'mapValue'

/**
 * Maps each value and keeps its record: `StreamRecord<V>` to `StreamRecord<U>`. What `map` is for values by themselves, as
 * `map((record) => record.withValue(…))`.
 *
 * Pure and synchronous: no context, no state, no effect on delivery. What `project` throws fails the epoch.
 *
 * @example mapValue((order) => `${order.id}: ${String(order.items.length)}`)
 */
export function mapValue<V, U>(
  project: (value: V, record: StreamRecord<V>) => U,
): OperatorFunction<StreamRecord<V>, StreamRecord<U>> {
  return map((record) => {
    checkRecord(operator, record)
    const value = project(record.value, record)
    if (isPromise(value)) throw misuse(operator, `the function returned a Promise. ${asyncRemedy}`, record)
    return record.withValue(value)
  })
}
