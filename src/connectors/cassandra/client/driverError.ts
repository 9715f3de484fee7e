import { errors, types, policies } from 'cassandra-driver'
import { TidemarkError, messageOf } from '../../../core/errors.ts'
import type { LookupOutcome } from '../../../core/ports/lookup.ts'

/**
 * What an error of the driver says of a read:
 * - `unavailable`: the cluster could not answer, as it says itself, and not because of the row
 * - `transient`: the same read may succeed later; whether the row is at fault shows by what else is answered
 * - `stale`: the statement does not fit the table any more
 * - `final`: this read fails each time
 */
export type DriverVerdict = 'unavailable' | 'transient' | 'stale' | 'final'

const { responseErrorCodes: codes } = types

/** All that a server can answer instead of rows; a code that is not here is taken for `transient`. */
const verdicts: ReadonlyMap<number, DriverVerdict> = new Map([
  // A defect, or a node that is broken: of the second kind are all reads.
  [codes.serverError, 'transient'],
  // Nodes of two versions, as while a cluster is upgraded.
  [codes.protocolError, 'transient'],
  [codes.badCredentials, 'unavailable'],
  // Fewer replicas are alive than the consistency asks for.
  [codes.unavailableException, 'unavailable'],
  [codes.overloaded, 'unavailable'],
  [codes.isBootstrapping, 'unavailable'],
  [codes.truncateError, 'unavailable'],
  [codes.writeTimeout, 'transient'],
  // Replicas that are gone and not yet known to be, or one partition that is slow.
  [codes.readTimeout, 'transient'],
  // Too many tombstones, or disks that cannot be read.
  [codes.readFailure, 'transient'],
  [codes.functionFailure, 'final'],
  [codes.writeFailure, 'transient'],
  [codes.clientWriteFailure, 'transient'],
  [codes.syntaxError, 'stale'],
  // Of this table: messages name tables, and may name one that nobody here may read.
  [codes.unauthorized, 'final'],
  [codes.invalid, 'stale'],
  [codes.configError, 'stale'],
  [codes.alreadyExists, 'final'],
  [codes.unprepared, 'stale'],
])

/** Plain errors of the driver's pool and of its connections, which have no class of their own. */
const lostConnection = /^(?:No connection available|Connection closed|Socket was closed|Connection timeout)/

export function judgeDriverError(error: unknown): DriverVerdict {
  if (error instanceof TidemarkError) return error.retriable ? 'transient' : 'final'
  if (error instanceof errors.NoHostAvailableError) return judgeNodes(error)
  if (error instanceof errors.ResponseError) return verdicts.get(error.code) ?? 'transient'
  if (error instanceof errors.OperationTimedOutError) return 'transient'
  if (error instanceof errors.BusyConnectionError || error instanceof errors.AuthenticationError) return 'unavailable'
  // It had forgotten a statement that was under way.
  if (error instanceof errors.DriverInternalError && error.message.startsWith('Unprepared')) return 'stale'
  if (!(error instanceof Error)) return 'final'
  const isSocketError = 'isSocketError' in error && error.isSocketError === true
  return isSocketError || lostConnection.test(error.message) ? 'unavailable' : 'final'
}

/** What all nodes that were tried have said: the driver passes a node over that is not up or has no connection. */
function judgeNodes({ innerErrors }: errors.NoHostAvailableError): DriverVerdict {
  const said = Object.values((innerErrors as object | null) ?? {}).flatMap((inner: unknown) =>
    inner instanceof errors.ResponseError || inner instanceof errors.OperationTimedOutError
      ? [judgeDriverError(inner)]
      : [],
  )
  // After a statement was refused the driver may go on to the next node, and report that there was none.
  if (said.includes('stale')) return 'stale'
  return said.some((verdict) => verdict !== 'unavailable') ? 'transient' : 'unavailable'
}

/** Whether the same read may succeed later. */
function isPassing(verdict: DriverVerdict): boolean {
  return verdict === 'unavailable' || verdict === 'transient'
}

/** `system-unreachable`, to be tried again. */
function transientError(error: unknown): TidemarkError {
  if (error instanceof TidemarkError) return error
  return new TidemarkError('system-unreachable', `Cassandra did not answer: ${driverReason(error)}`, {
    retriable: true,
    cause: error,
    details: { system: 'cassandra' },
  })
}

/** `lookup-failed`, never tried again. */
export function finalError(error: unknown, table: string): TidemarkError {
  if (error instanceof TidemarkError) return error
  return new TidemarkError('lookup-failed', `Reading a row of ${table} failed: ${driverReason(error)}`, {
    cause: error,
    details: { system: 'cassandra', table },
  })
}

/** For a command: `system-unreachable`, or `invalid-input` in Cassandra's own words for what it refuses. */
export function commandError(error: unknown, what: string): TidemarkError {
  if (error instanceof TidemarkError || isPassing(judgeDriverError(error))) return transientError(error)
  return new TidemarkError('invalid-input', `Cassandra refuses ${what}: ${driverReason(error)}`, { cause: error })
}

/** One line; the driver's own message for several nodes holds stack traces. */
export function driverReason(error: unknown): string {
  if (!(error instanceof errors.NoHostAvailableError)) return messageOf(error).trim().replaceAll(/\s+/g, ' ')
  const nodes = Object.entries((error.innerErrors as Readonly<Record<string, unknown>> | null) ?? {})
  if (nodes.length === 0) return 'no node is up'
  return nodes.map(([node, reason]) => `${node}: ${driverReason(reason)}`).join('; ')
}

/** The outcome of a read that failed so. */
export function failedOutcome(error: unknown, table: string): LookupOutcome<never> {
  const verdict = judgeDriverError(error)
  if (!isPassing(verdict)) return { kind: 'error', error: finalError(error, table) }
  return { kind: 'error', error: transientError(error), unavailable: verdict === 'unavailable' }
}

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
