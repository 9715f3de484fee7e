import type { Row } from '../../tables/row.ts'
import type { RowLookup, RowRequest } from '../../tables/rowLookup.ts'
import { asTidemarkError, TidemarkError } from '../../core/errors.ts'
import type { LookupOutcome, LookupTurn } from '../../core/ports/lookup.ts'
import { boundedReads, type AskTables } from '../kit/boundedReads.ts'
import type { MemoryTables } from './memoryTables.ts'
import type { TestProcess } from './testProcess.ts'

/** Reads `MemoryTables` on behalf of one process; answers come on the process's clock. */
export function memoryRowLookup(tables: MemoryTables, process: TestProcess): RowLookup {
  const { counts } = tables

  const answer = (requests: readonly RowRequest[]): Promise<readonly LookupOutcome<Row>[]> =>
    new Promise((resolve) => {
      const behaviours = requests.map((request) => tables.behaviour(request))
      counts.requests += 1
      counts.reads += requests.length
      counts.inFlight += 1
      counts.mostInFlight = Math.max(counts.mostInFlight, counts.inFlight)
      // One that never answers keeps its whole group waiting, as a slow partition does.
      if (behaviours.some(({ never }) => never === true)) return
      const finish = (): void => {
        counts.inFlight -= 1
        resolve(
          requests.map((request, index) => {
            if (tables.unreachable) return { kind: 'error', error: unreachable(), unavailable: true }
            const error = behaviours[index]?.error
            return error === undefined ? tables.read(request) : { kind: 'error', error }
          }),
        )
      }
      const latencyMs = Math.max(...behaviours.map((behaviour) => behaviour.latencyMs ?? tables.latencyMs))
      if (latencyMs > 0) process.clock.after(latencyMs, finish)
      else finish()
    })

  /** A call that comes to nothing is an error of what it asked for: a lookup resolves, never rejects. */
  const unbounded: AskTables = (call, requests) =>
    process
      .call(call, () => answer(requests), requests)
      .catch((error: unknown) => {
        const failure = asTidemarkError(error, 'system-unreachable', 'A read failed')
        const outcome = { kind: 'error', error: failure, unavailable: failure.kind === 'unreachable' } as const
        return requests.map(() => outcome)
      })

  const asked = tables.bound === null ? unbounded : boundedReads(tables.bound, process.clock, unbounded)

  const lookup = async (request: RowRequest, turn?: LookupTurn): Promise<LookupOutcome<Row>> => {
    const [outcome] = await asked('tables.lookup', [request], turn)
    if (outcome === undefined) throw new TidemarkError('broken-invariant', 'A read in memory gave no outcome.')
    return outcome
  }

  return {
    name: 'memory tables',
    ...(tables.bound === null ? {} : { hasTurns: true, requestTimeoutMs: tables.bound.requestTimeoutMs }),
    schema: (keyspace, table) => tables.schema(keyspace, table),
    lookup,
    ...(tables.grouped
      ? {
          lookupMany: (requests: readonly RowRequest[], turn?: LookupTurn) =>
            asked('tables.lookupMany', requests, turn),
        }
      : {}),
    probe: () =>
      process.call('tables.probe', () => {
        if (tables.unreachable) throw unreachable()
      }),
    connect: () =>
      process.call('tables.connect', () => {
        if (tables.unreachable) throw unreachable()
        counts.connects += 1
        // What a dead process asked for is asked for no more.
        counts.inFlight = 0
      }),
    close: () =>
      process.call('tables.close', () => {
        counts.closes += 1
      }),
  }
}

function unreachable(): TidemarkError {
  return new TidemarkError('system-unreachable', 'The tables in memory are set to be unreachable.', {
    details: { system: 'memory tables' },
  })
}
