import { TidemarkError, type ErrorCode, type ErrorOptions } from './errors.ts'

/**
 * A system that an epoch needs does not answer at all, or says that it cannot. The epoch is aborted and nothing of it
 * becomes a dead letter; the runtime pauses the input, waits until `probe` resolves, and replays the epoch. Never counted as
 * a failure of the job.
 */
export class Outage extends TidemarkError {
  override readonly name: string = 'Outage'
  readonly system: string
  /** Asks the system once; resolves when it answers. */
  readonly probe: () => Promise<void>

  constructor(
    code: ErrorCode,
    message: string,
    { system, probe, ...options }: ErrorOptions & { readonly system: string; readonly probe: () => Promise<void> },
  ) {
    super(code, message, { ...options, retriable: true, details: { ...options.details, system } })
    this.system = system
    this.probe = probe
  }
}
