import { TidemarkError } from './errors.ts'

/**
 * The log has refused some records of an epoch for what they are, and its task now knows which: replayed, the epoch goes
 * on without them. Never counted as a failure of the job, as long as that helps.
 */
export class RecordsRefused extends TidemarkError {
  override readonly name: string = 'RecordsRefused'
  readonly records: number

  /** @param first what one of them was refused for. */
  constructor(first: TidemarkError, records: number) {
    super(first.code, first.message, { cause: first, details: first.details })
    this.records = records
  }
}
