import { filter, type OperatorFunction } from 'rxjs'
import { checkRecord, isPromise, misuse, nameOf, remedyForRecord } from '../src/core/mistakes.ts'
import type { StreamRecord } from '../src/core/record.ts'

const operator = 'filterValue'

/**
 * Passes on the records whose value `keep` holds for; a type guard narrows it: `StreamRecord<V>` to `StreamRecord<U>`. The
 * position of a record that is left out is committed like any other.
 *
 * Pure and synchronous: no context, no state, no effect on delivery. What `keep` throws fails the epoch.
 *
 * @example filterValue((order) => order.items.length > 0)
 */
export function filterValue<V, U extends V>(
  keep: (value: V, record: StreamRecord<V>) => value is U,
): OperatorFunction<StreamRecord<V>, StreamRecord<U>>
export function filterValue<V>(
  keep: (value: V, record: StreamRecord<V>) => boolean,
): OperatorFunction<StreamRecord<V>, StreamRecord<V>>
export function filterValue<V>(
  keep: (value: V, record: StreamRecord<V>) => boolean,
): OperatorFunction<StreamRecord<V>, StreamRecord<V>> {
  return filter((record) => {
    checkRecord(operator, record)
    const kept: unknown = keep(record.value, record)
    if (typeof kept === 'boolean') return kept
    const remedy = isPromise(kept) || kept === undefined ? ` ${remedyForRecord(kept)}` : ''
    throw misuse(operator, `the function returned ${nameOf(kept)}, and has to return true or false.${remedy}`, record)
  })
}
