import { TidemarkError, messageOf } from '../../core/errors.ts'
import { userFrame } from '../../core/userFrame.ts'

/**
 * What a promise or a callback of the job has failed with that nobody waits for: `tap(async …)`, a call without await, a
 * subscription of its own. No epoch knows of such work, so none may be committed as if it were done.
 */
export function unawaitedWork(error: unknown): TidemarkError {
  // A guard's own error, thrown into such a callback, says more.
  if (error instanceof TidemarkError && error.kind === 'guard') return error
  const at = userFrame(error)
  return new TidemarkError(
    'unawaited-work',
    `Something failed that no epoch waits for: ${messageOf(error)}${at === null ? '' : `, at ${at}`}. A promise or a subscription that is not part of the pipeline, as in tap(async …) or a call without await, belongs to no epoch: await it in the lookup function of asyncLookup, or catch its errors where it is made`,
    { cause: error },
  )
}
