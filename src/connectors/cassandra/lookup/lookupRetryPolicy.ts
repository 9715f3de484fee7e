import { errors, policies, type types } from 'cassandra-driver'

/**
 * When the driver itself asks again. A node that is overloaded or whose connection broke is passed over for the next
 * replica at once. A node that did not answer in time is not: the lookup's own deadline is running, and `asyncLookup` tries
 * again with a delay, by another route. What replicas say (unavailable, read timeout) is as the driver's default has it.
 */
export class LookupRetryPolicy extends policies.retry.RetryPolicy {
  override onRequestError(
    info: policies.retry.OperationInfo,
    consistency: types.consistencies,
    error: Error,
  ): policies.retry.DecisionInfo {
    if (error instanceof errors.OperationTimedOutError) return this.rethrowResult()
    return super.onRequestError(info, consistency, error)
  }
}
