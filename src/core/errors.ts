import { userFrame } from './userFrame.ts'
import { formatPosition, type RecordPosition } from './record.ts'

/**
 * Every error that Tidemark raises is a `TidemarkError` with one of these codes.
 *
 * A code is API: it stands in dead-letter headers, logs and documentation, and is never reused for another meaning.
 * The `kind` decides what an error does:
 * - `record`: one record is bad. It goes to the operator's `onError` side output, or fails the epoch where there is none.
 * - `configuration`: the job or its settings are wrong. Stops the start, exit code 2.
 * - `unreachable`: a system does not answer. At start: exit code 3; while running: backs off, never counted as a failure.
 * - `epoch`: the epoch cannot be committed and is replayed; the restart strategy counts it.
 * - `guard`: an invariant is broken. Stops the job at once, exit code 1; never replayed, never restarted.
 */
export type ErrorKind = 'record' | 'configuration' | 'unreachable' | 'epoch' | 'guard'

/** All codes with their kind and the sentence that stands in docs/errors.md. */
export const errorCodes = {
  // Bad records
  'malformed-json': { kind: 'record', summary: 'The value is not one JSON text.' },
  'invalid-utf8': { kind: 'record', summary: 'The value is not valid UTF-8.' },
  'byte-order-mark': { kind: 'record', summary: 'The value starts with a byte order mark.' },
  'empty-value': { kind: 'record', summary: 'The value has no bytes.' },
  'too-deep': { kind: 'record', summary: 'The JSON is nested deeper than json.max.depth.' },
  'schema-mismatch': { kind: 'record', summary: 'The decoded value does not have the expected shape.' },
  'tombstone-without-key': {
    kind: 'record',
    summary: 'A record with a null value has no JSON key that names keyspace, table and primary key.',
  },
  'missing-key': { kind: 'record', summary: 'A keyed operator met a record without a key.' },
  'unknown-table': { kind: 'record', summary: 'The message names a keyspace or table that does not exist.' },
  'forbidden-keyspace': { kind: 'record', summary: 'The message names a system keyspace.' },
  'key-mismatch': { kind: 'record', summary: "The key's columns are not the table's primary key." },
  'invalid-value': { kind: 'record', summary: "A value does not convert to its column's CQL type." },
  'lookup-failed': { kind: 'record', summary: 'The lookup of one record failed for good.' },
  'lookup-timeout': { kind: 'record', summary: 'The lookup of one record did not end within its timeout.' },
  'lookup-overflow': { kind: 'record', summary: "More records wait for a lookup than the epoch's byte limit holds." },
  'record-too-large': { kind: 'record', summary: "An output exceeds its topic's max.message.bytes." },
  'invalid-output': {
    kind: 'record',
    summary: 'An output has a topic, partition, key, timestamp or text that its topic does not take.',
  },
  'row-refused': { kind: 'record', summary: 'The target of a sink refuses a row for good.' },
  'input-too-large': {
    kind: 'record',
    summary: 'A record of an input takes more memory than a process may hold for one.',
  },
  'state-too-large': { kind: 'record', summary: 'A state value exceeds the limit of its changelog.' },

  // Wrong use or configuration, found before any read
  'invalid-setting': { kind: 'configuration', summary: 'A setting has a value it cannot have.' },
  'unknown-setting': { kind: 'configuration', summary: 'A setting is not known; the nearest known one is named.' },
  'missing-setting': { kind: 'configuration', summary: 'A setting that is needed is absent.' },
  'invalid-argument': { kind: 'configuration', summary: 'An operator or a job was given an argument it cannot take.' },
  'invalid-plan': { kind: 'configuration', summary: 'The pipeline cannot run as it is composed.' },
  'mixed-worlds': { kind: 'configuration', summary: 'Some systems of the job are real and some embedded.' },
  'directory-in-use': { kind: 'configuration', summary: 'Another job holds the data directory.' },
  'group-in-use': {
    kind: 'configuration',
    summary: 'Processes work in the consumer group whose positions are to be moved.',
  },
  'job-name-in-use': {
    kind: 'configuration',
    summary: "Another deployment runs, or has run, under the job's name.",
  },
  'instance-taken': {
    kind: 'configuration',
    summary: "Another process has joined the consumer group under this one's group.instance.id.",
  },
  'no-committed-offset': { kind: 'configuration', summary: 'Start mode committed, and nothing is committed.' },
  'commit-metadata-lost': {
    kind: 'configuration',
    summary: 'The committed offsets of a task are gone, or contradict its changelog.',
  },
  'misused-operator': {
    kind: 'configuration',
    summary: 'A function of the job returned what it cannot: a promise, nothing, or something that is no record.',
  },
  'input-removed': {
    kind: 'configuration',
    summary: "An input of the last commit is not among the job's topics any more.",
  },
  'partitions-changed': {
    kind: 'configuration',
    summary: 'The partition count of a stateful or joined group changed.',
  },
  'unclaimed-state': {
    kind: 'configuration',
    summary: 'There is keyed state that no step of the job claims by its uid.',
  },
  'job-not-found': { kind: 'configuration', summary: 'The job file is missing or has no default export by defineJob.' },
  'job-not-loaded': { kind: 'configuration', summary: 'The job file, or a file that it imports, cannot be loaded.' },
  'unknown-format': {
    kind: 'configuration',
    summary: 'The data directory was written by another version of Tidemark.',
  },
  'foreign-directory': {
    kind: 'configuration',
    summary: 'The data directory is not empty, and nothing that Tidemark has made.',
  },
  'unsafe-path': {
    kind: 'configuration',
    summary: 'A file or directory of Tidemark is a link, or another user owns or can write it.',
  },
  'too-many-files': {
    kind: 'configuration',
    summary: 'This process, or the machine, may have no more files and sockets open.',
  },
  'unknown-topic': { kind: 'configuration', summary: 'The topic does not exist.' },
  'unsupported-batch': {
    kind: 'configuration',
    summary: 'A Kafka topic holds batches in a compression or format that is not supported.',
  },
  'not-authorized': { kind: 'configuration', summary: 'A system refuses what the job does to the user it logs in as.' },
  'invalid-input': {
    kind: 'configuration',
    summary: 'A file or line given to a command is not as the command needs it.',
  },
  'not-confirmed': {
    kind: 'configuration',
    summary: 'Something would have been deleted, and nobody could be asked: --yes is missing.',
  },
  'server-not-started': {
    kind: 'configuration',
    summary: 'A Kafka or Cassandra on this machine could not be started.',
  },
  'port-unavailable': { kind: 'configuration', summary: 'The port that was chosen for the live page is taken.' },
  'machine-clock': {
    kind: 'configuration',
    summary: "Under a clock for tests, a lookup function waits on the machine's.",
  },
  'unsupported-node': { kind: 'configuration', summary: 'This Node.js is too old to run TypeScript files.' },

  // Systems that do not answer
  'system-unreachable': { kind: 'unreachable', summary: 'A system the job needs does not answer.' },
  'lookup-outage': {
    kind: 'unreachable',
    summary: 'The looked-up system does not answer at all; the input is paused.',
  },

  // Failures of one epoch
  'pipeline-failed': { kind: 'epoch', summary: 'An operator or function of the pipeline threw.' },
  'poison-record': { kind: 'epoch', summary: 'One record makes the pipeline fail each time; its position is named.' },
  'checkpoint-timeout': { kind: 'epoch', summary: 'The time from barrier to commit exceeded checkpoint.timeout.ms.' },
  'commit-failed': { kind: 'epoch', summary: 'The commit was refused or its outcome is unknown.' },
  'damaged-state': {
    kind: 'epoch',
    summary: 'The local copy of keyed state is damaged; it is restored from its changelog.',
  },
  'follower-fenced': {
    kind: 'epoch',
    summary: 'The target of a sink has rows of another owner of the task already.',
  },
  'target-went-back': {
    kind: 'guard',
    summary: 'The target of a sink has lost rows that it had: it was restored, or is a replica that lagged behind.',
  },
  'data-removed': {
    kind: 'guard',
    summary: 'Records were removed before they were read or sent, or the head of a changelog was.',
  },
  'topic-recreated': {
    kind: 'guard',
    summary: 'An input topic was deleted, and another one made under its name.',
  },
  'damaged-batch': {
    kind: 'guard',
    summary: 'A batch of a Kafka topic is damaged, or its broker cannot read it.',
  },
  'unreadable-input': {
    kind: 'guard',
    summary: 'A batch or record of an input cannot be read, or not be held, and has nowhere to go.',
  },

  // Broken invariants
  'early-end': { kind: 'guard', summary: 'The pipeline unsubscribed from its source before the epoch ended.' },
  'late-subscriber': { kind: 'guard', summary: 'A source was subscribed after the epoch had started.' },
  'no-subscriber': { kind: 'guard', summary: 'A source of the pipeline had no subscriber when the epoch started.' },
  'loss-in-drain': { kind: 'guard', summary: 'An operator was torn down with records pending, or its error was lost.' },
  'no-end': { kind: 'guard', summary: 'The pipeline did not complete after its source had.' },
  'stale-context': { kind: 'guard', summary: 'A context was used after its epoch attempt had ended.' },
  'unawaited-work': { kind: 'guard', summary: 'A promise or callback failed that no epoch waits for.' },
  'side-output-closed': { kind: 'guard', summary: 'A record was emitted to a side output that cannot take it.' },
  'corrupt-store': { kind: 'guard', summary: 'Stored bytes are not what Tidemark wrote.' },
  'disk-failed': { kind: 'guard', summary: 'A local store could not be read or written: a full disk, for example.' },
  'broken-invariant': { kind: 'guard', summary: 'Something that cannot happen did; please report it.' },
} as const satisfies Record<string, { kind: ErrorKind; summary: string }>

export type ErrorCode = keyof typeof errorCodes

/** Details that name where an error happened: topic, partition, offset, setting, path, … Never a secret. */
export type ErrorDetails = Readonly<Record<string, string | number | boolean | null | undefined>>

export interface ErrorOptions {
  /** True when the same call may succeed later. Default: true for kind `unreachable`, else false. */
  readonly retriable?: boolean
  readonly cause?: unknown
  readonly details?: ErrorDetails
}

/** The one error base class. The message says what happened, where, and what to do. */
export class TidemarkError extends Error {
  override readonly name: string = 'TidemarkError'
  readonly code: ErrorCode
  readonly retriable: boolean
  readonly details: ErrorDetails

  constructor(code: ErrorCode, message: string, options: ErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.retriable = options.retriable ?? errorCodes[code].kind === 'unreachable'
    this.details = options.details ?? {}
  }

  get kind(): ErrorKind {
    return errorCodes[this.code].kind
  }
}

/** The code of an error of Node's or a library's: `ENOENT`. */
export function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined
}

/** The message of anything thrown, for sentences that quote a cause. */
export function messageOf(error: unknown): string {
  if (error instanceof Error) return error.message
  try {
    return String(error)
  } catch {
    // An object that JSON.parse has made may have a toString that is no function.
    return 'something that has no text'
  }
}

/** Wraps what is not yet a `TidemarkError`, with the line of the user's code that it comes from. */
export function asTidemarkError(error: unknown, code: ErrorCode, what: string): TidemarkError {
  if (error instanceof TidemarkError) return error
  const at = userFrame(error)
  return new TidemarkError(code, `${what}: ${messageOf(error)}${at === null ? '' : `, at ${at}`}`, { cause: error })
}

/** The error of one record, which its message and its details name. */
export function atPosition(error: TidemarkError, record: RecordPosition): TidemarkError {
  const { topic, partition, offset } = record
  return new TidemarkError(error.code, `${formatPosition(record)}: ${error.message}`, {
    retriable: error.retriable,
    cause: error,
    details: { ...error.details, topic, partition, offset },
  })
}
