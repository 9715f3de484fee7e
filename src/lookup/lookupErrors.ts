import { messageOf, TidemarkError } from '../core/errors.ts'
import { Outage } from '../core/outage.ts'

/** What a client that rejects or throws, against its contract, or the job's own lookup function has failed with. */
export function lookupError(thrown: unknown): TidemarkError {
  if (thrown instanceof TidemarkError) return thrown
  const retriable = thrown instanceof Error && 'retriable' in thrown && thrown.retriable === true
  return new TidemarkError('lookup-failed', messageOf(thrown), { retriable, cause: thrown })
}

/** Out of tries, or final; an error of the record itself keeps its code. */
export function lookupFailed(system: string, error: TidemarkError, attempts: number): TidemarkError {
  const tries = attempts === 1 ? 'one try' : `${String(attempts)} tries`
  return new TidemarkError(
    error.kind === 'record' ? error.code : 'lookup-failed',
    `The lookup in ${system} failed after ${tries}: ${error.message}`,
    { cause: error, details: { ...error.details, system, attempts } },
  )
}

export function lookupTimeout(system: string, timeoutMs: number, hint = ''): TidemarkError {
  return new TidemarkError(
    'lookup-timeout',
    `The lookup in ${system} did not end within ${String(timeoutMs)} ms.${hint}`,
    { retriable: true, details: { system, timeoutMs } },
  )
}

/** `refusal`: what the system itself has said for all that time; null: nothing at all. */
export function lookupOutage(
  { system, probe }: Pick<Outage, 'system' | 'probe'>,
  silentMs: number,
  refusal: TidemarkError | null,
  cause: unknown,
): Outage {
  const what =
    refusal === null
      ? `has answered nothing for ${String(silentMs)} ms, neither lookups nor probes`
      : `could not answer a lookup for ${String(silentMs)} ms (${refusal.message})`
  return new Outage(
    'lookup-outage',
    `${system} ${what}; the input is paused and the epoch is replayed once it answers`,
    { system, probe, cause, details: { silentMs } },
  )
}
