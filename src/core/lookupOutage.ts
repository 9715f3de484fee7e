import { TidemarkError } from './errors.ts'

/**
 * A looked-up system does not answer at all, or says that it cannot. The epoch is aborted and nothing of it becomes a dead
 * letter; the runtime pauses the input, waits until `probe` resolves, and replays the epoch. Never counted as a failure of
 * the job.
 */
export class LookupOutage extends TidemarkError {
  override readonly name: string = 'LookupOutage'
  /** Asks the system once; resolves when it answers. */
  readonly probe: () => Promise<void>

  /** @param refusal what the system itself has said for all that time; absent: nothing at all. */
  constructor(system: string, silentMs: number, probe: () => Promise<void>, cause: unknown, refusal?: TidemarkError) {
    const what =
      refusal === undefined
        ? `has answered nothing for ${String(silentMs)} ms, neither lookups nor probes`
        : `could not answer a lookup for ${String(silentMs)} ms (${refusal.message})`
    super('lookup-outage', `${system} ${what}; the input is paused and the epoch is replayed once it answers`, {
      retriable: true,
      cause,
      details: { system, silentMs },
    })
    this.probe = probe
  }
}
