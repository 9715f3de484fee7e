import type { Row } from '../../tables/row.ts'
import type { RowRequest } from '../../tables/rowLookup.ts'
import { RequestSlots } from '../../connectors/cassandra/client/boundedSession.ts'
import type { Clock } from '../../core/ports/clock.ts'
import { TidemarkError } from '../../core/errors.ts'
import type { LookupOutcome, LookupTurn } from '../../core/ports/lookup.ts'
import type { ReadBound } from '../world/memoryTables.ts'

/** One request to the tables, by the name of its call. */
export type AskTables = (
  call: string,
  requests: readonly RowRequest[],
  turn?: LookupTurn,
) => Promise<readonly LookupOutcome<Row>[]>

/** Asks as `ask` does, within a bound: by the slots that requests to Cassandra wait for. */
export function boundedReads(bound: ReadBound, clock: Clock, ask: AskTables): AskTables {
  const slots = new RequestSlots(bound.maxInFlight)
  return async (call, requests, turn) => {
    if (!slots.tryTake() && !(await slots.take(() => turn?.wanted ?? true))) return unanswered(requests, 'not sent')
    turn?.begins()
    try {
      return await new Promise((resolve, reject) => {
        const timer = clock.after(bound.requestTimeoutMs, () => {
          resolve(unanswered(requests, 'not answered in time'))
        })
        ask(call, requests)
          .finally(() => {
            timer.cancel()
          })
          .then(resolve, reject)
      })
    } finally {
      slots.free()
    }
  }
}

function unanswered(requests: readonly RowRequest[], what: string): readonly LookupOutcome<Row>[] {
  const error = new TidemarkError('system-unreachable', `A read in memory was ${what}.`, { retriable: true })
  return requests.map(() => ({ kind: 'error', error }))
}
