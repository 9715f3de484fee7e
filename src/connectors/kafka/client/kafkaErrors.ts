import { TidemarkError, messageOf } from '../../../core/errors.ts'
import {
  coordinatorMoved,
  describeCode,
  kafkaError,
  leaderMoved,
  lostOwnership,
  notAuthorized,
  notNow,
} from '../protocol/errorCodes.ts'

/** `system` in the details of errors, and in metrics. */
const system = 'kafka'

/** kafkajs' errors as far as they are looked at. */
interface ThrownByKafkajs extends Error {
  readonly code?: unknown
  readonly type?: unknown
  readonly cause?: unknown
}

const unknownCode = /^Unknown error code (-?\d+)$/

/** The code that a broker has answered with; null when no broker has answered, so that the outcome is unknown. */
export function brokerCode(error: unknown): number | null {
  if (error instanceof BrokerRefusal) return error.brokerCode
  if (!(error instanceof Error)) return null
  const { name, message, code, cause } = error as ThrownByKafkajs
  if (name === 'KafkaJSProtocolError' || name === 'KafkaJSMemberIdRequired') {
    const unknown = unknownCode.exec(message)
    return unknown === null ? (typeof code === 'number' ? code : null) : Number(unknown[1])
  }
  return cause === undefined || cause === error ? null : brokerCode(cause)
}

/** A broker's answer that is an error code, for requests that kafkajs does not read. */
export class BrokerRefusal extends Error {
  override readonly name = 'BrokerRefusal'
  readonly brokerCode: number
  /** The topics it is about, where it is about topics. */
  readonly topics: readonly string[]

  constructor(code: number, what: string, message: string | null = null, topics: readonly string[] = []) {
    super(`${what}: ${describeCode(code)}${message === null ? '' : `: ${message}`}`)
    this.brokerCode = code
    this.topics = topics
  }
}

/** The topics that an answer of a broker names, however deep it is wrapped; null: none. */
export function refusedTopics(error: unknown): readonly string[] | null {
  if (error instanceof BrokerRefusal && error.topics.length > 0) return error.topics
  return error instanceof Error && error.cause !== undefined ? refusedTopics(error.cause) : null
}

/** What is wanted of Kafka cannot be had for now. */
export function systemUnreachable(
  message: string,
  details: Readonly<Record<string, string | number>> = {},
): TidemarkError {
  return new TidemarkError('system-unreachable', message, { details: { system, ...details } })
}

/** Nobody answered, or not in time. */
export function kafkaUnreachable(what: string, cause: unknown): TidemarkError {
  if (cause instanceof TidemarkError && cause.kind === 'unreachable') return cause
  return new TidemarkError('system-unreachable', `${what}: ${messageOf(cause)}`, { cause, details: { system } })
}

/** What an error of a broker means to the runtime, outside of transactions. `what` begins the sentence. */
export function asKafkaError(error: unknown, what: string): TidemarkError {
  if (error instanceof TidemarkError) return error
  const code = brokerCode(error)
  if (code !== null && notAuthorized.has(code)) return refusedAccess(what, code, error)
  if (code === kafkaError.unknownTopicOrPartition) {
    return new TidemarkError('unknown-topic', `${what}: the topic or partition does not exist`, { cause: error })
  }
  if (code !== null) return kafkaUnreachable(`${what}: Kafka answers ${describeCode(code)}`, error)
  return kafkaUnreachable(what, error)
}

/** How a send outside of transactions failed: a clear refusal is told as one, all else is waited out. */
export function asSendError(error: unknown, what: string): TidemarkError {
  const told = asKafkaError(error, what)
  const code = brokerCode(error)
  if (told.kind !== 'unreachable' || code === null || leaderMoved.has(code) || notNow.has(code)) return told
  return new TidemarkError('commit-failed', `${what}: ${messageOf(error)}`, { cause: error, details: { system } })
}

/** Ends the epoch and counts as no failure of the job: the task fences and reads the commit again. */
export function lostTransaction(what: string, cause: unknown): TidemarkError {
  return new TidemarkError('commit-failed', `${what}: ${messageOf(cause)}`, {
    cause,
    retriable: true,
    details: { system },
  })
}

/** What the owner of a transactional id is told when there is a newer one. */
const takenOver: ReadonlySet<number> = new Set([kafkaError.invalidProducerEpoch, kafkaError.producerFenced])

/**
 * How a failed step of a transaction is told. An unknown outcome, a lost identity and a broker that cannot for now are
 * answered by recovery and count as no failure; a clear refusal is one.
 */
export function asTransactionError(error: unknown, what: string): TidemarkError {
  if (error instanceof TidemarkError && error.kind !== 'unreachable') return error
  const code = brokerCode(error)
  if (code === null) return lostTransaction(what, error)
  if (notAuthorized.has(code)) return refusedAccess(what, code, error)
  const retriable = lostOwnership.has(code) || leaderMoved.has(code) || coordinatorMoved.has(code) || notNow.has(code)
  const fenced = takenOver.has(code)
  const why = fenced
    ? `another process has taken the transactional id over, or the brokers have ended the transaction at its timeout. When this goes on while no process joins or leaves, two jobs have the same transactionalIdPrefix: give each its own`
    : messageOf(error)
  const message = `${what}: Kafka answers ${describeCode(code)}: ${why}`
  const details = { system, ...(fenced ? { fenced } : {}) }
  return new TidemarkError('commit-failed', message, { cause: error, retriable, details })
}

function refusedAccess(what: string, code: number, cause: unknown): TidemarkError {
  const topics = refusedTopics(cause)
  const about = topics === null ? '' : ` for topic ${topics.join(', ')}`
  return new TidemarkError(
    'not-authorized',
    `${what}: Kafka answers ${describeCode(code)}${about}. The user of this job needs READ and DESCRIBE on its inputs, its consumer group and its control topic, WRITE and DESCRIBE on its outputs and its transactional ids, and CREATE for its changelog topic`,
    { cause, details: { system } },
  )
}
