import { errors, types } from 'cassandra-driver'
import { TidemarkError, messageOf } from '../../core/errors.ts'

/**
 * What an error of the driver says of a read:
 * - `transient`: nothing about the row; the same read may succeed later
 * - `stale`: the statement does not fit the table any more
 * - `final`: this read fails each time
 */
export type DriverVerdict = 'transient' | 'stale' | 'final'

const { responseErrorCodes: codes } = types

/** Answers of a server that say nothing of the row. */
const transientCodes: ReadonlySet<number> = new Set([
  codes.unavailableException,
  codes.overloaded,
  codes.isBootstrapping,
  codes.truncateError,
  codes.readTimeout,
  codes.writeTimeout,
])

/** Answers to a statement that names what is no longer there, or is bound by types of before. */
const staleCodes: ReadonlySet<number> = new Set([codes.invalid, codes.syntaxError, codes.configError, codes.unprepared])

/** Plain errors of the driver's pool and of its connections, which have no class of their own. */
const lostConnection = /^(?:No connection available|Connection closed|Socket was closed|Connection timeout)/

export function judgeDriverError(error: unknown): DriverVerdict {
  if (error instanceof TidemarkError) return error.retriable ? 'transient' : 'final'
  if (error instanceof errors.NoHostAvailableError) {
    // After a statement was refused the driver may go on to the next node, and report that there was none.
    const inner: unknown[] = Object.values((error.innerErrors as object | null) ?? {})
    return inner.some((one) => one instanceof Error && judgeDriverError(one) === 'stale') ? 'stale' : 'transient'
  }
  if (error instanceof errors.ResponseError) {
    if (transientCodes.has(error.code)) return 'transient'
    return staleCodes.has(error.code) ? 'stale' : 'final'
  }
  if (error instanceof errors.OperationTimedOutError || error instanceof errors.BusyConnectionError) return 'transient'
  // It had forgotten a statement that was under way.
  if (error instanceof errors.DriverInternalError && error.message.startsWith('Unprepared')) return 'stale'
  if (!(error instanceof Error)) return 'final'
  const isSocketError = 'isSocketError' in error && error.isSocketError === true
  return isSocketError || lostConnection.test(error.message) ? 'transient' : 'final'
}

/** `system-unreachable`, to be tried again. */
export function transientError(error: unknown): TidemarkError {
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

/** One line; the driver's own message for several nodes holds stack traces. */
export function driverReason(error: unknown): string {
  if (!(error instanceof errors.NoHostAvailableError)) return messageOf(error).trim().replaceAll(/\s+/g, ' ')
  const nodes = Object.entries((error.innerErrors as Readonly<Record<string, unknown>> | null) ?? {})
  if (nodes.length === 0) return 'no node is up'
  return nodes.map(([node, reason]) => `${node}: ${driverReason(reason)}`).join('; ')
}
