import { pino } from 'pino'
import pretty from 'pino-pretty'
import { systemClock, type Clock } from '../core/clock.ts'
import { TidemarkError, messageOf } from '../core/errors.ts'
import type { LogFields, Logger } from '../core/logger.ts'

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent'

/** Where log lines go. A stream of the process fits; its writes are synchronous for files and terminals. */
export interface LogStream {
  write(text: string): unknown
  readonly isTTY?: boolean
  hasColors?(): boolean
}

export interface LoggerOptions {
  readonly level: LogLevel
  /** `auto`: pretty on a terminal, JSON lines else. */
  readonly format: 'auto' | 'pretty' | 'json'
  readonly stream: LogStream
  /** Texts that never appear in a line; each occurrence becomes `***`. */
  readonly secrets?: readonly string[]
  /** Default: the machine's. */
  readonly clock?: Clock
}

/** Fields of these names are masked whatever they hold. */
const secretFields = ['password', 'secret', 'token', 'sasl', 'credentials']

/** A logger of JSON lines, or of lines for people, one `write` a line; nothing is buffered. */
export function createLogger(options: LoggerOptions): Logger {
  const { level, format, stream, secrets = [], clock = systemClock } = options
  const forPeople = format === 'pretty' || (format === 'auto' && stream.isTTY === true)
  const present = prettyLines(stream)
  const root = pino(
    {
      level,
      base: null,
      timestamp: () => `,"time":"${new Date(clock.now()).toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: secretFields.flatMap((name) => [name, `*.${name}`]), censor: '***' },
      serializers: { error: (error: unknown) => describeError(error, level === 'debug') },
    },
    {
      write(line: string) {
        const masked = secrets.reduce(mask, line)
        stream.write(forPeople ? present(masked) : masked)
      },
    },
  )
  return wrap(root)
}

/** A logger that writes nothing. */
export const silentLogger: Logger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  with: () => silentLogger,
}

function wrap(inner: pino.Logger): Logger {
  return {
    debug: (message, fields) => {
      inner.debug(fields ?? {}, message)
    },
    info: (message, fields) => {
      inner.info(fields ?? {}, message)
    },
    warn: (message, fields) => {
      inner.warn(fields ?? {}, message)
    },
    error: (message, fields) => {
      inner.error(fields ?? {}, message)
    },
    with: (fields: LogFields) => wrap(inner.child(fields)),
  }
}

function describeError(error: unknown, withStack: boolean): unknown {
  if (!(error instanceof Error)) return messageOf(error)
  const cause = error.cause === undefined ? {} : { cause: messageOf(error.cause) }
  const stack = withStack && error.stack !== undefined ? { stack: stackOf(error) } : {}
  if (!(error instanceof TidemarkError)) return { type: error.name, message: error.message, ...cause, ...stack }
  return { code: error.code, message: error.message, ...error.details, ...cause, ...stack }
}

/** Its own and that of what it wraps: where an operator or a function of the job threw. */
function stackOf(error: Error): string {
  const { stack = '', cause } = error
  return cause instanceof Error && cause !== error && cause.stack !== undefined
    ? `${stack}\ncaused by ${cause.stack}`
    : stack
}

function mask(line: string, secret: string): string {
  if (secret === '') return line
  // A secret stands in a JSON line as JSON spells it.
  return line.replaceAll(JSON.stringify(secret).slice(1, -1), '***')
}

/** Turns a JSON line into one for people. */
function prettyLines(stream: LogStream): (line: string) => string {
  const format = pretty.prettyFactory({
    colorize: stream.hasColors?.() ?? false,
    translateTime: 'SYS:HH:MM:ss.l',
    errorLikeObjectKeys: [],
    singleLine: true,
  })
  return (line) => format(visibleControls(line))
}

/**
 * Keeps control characters of a JSON line as visible escapes: an error may quote a message, and a message must not move the
 * cursor of the terminal that shows it.
 */
function visibleControls(line: string): string {
  return line
    .replaceAll(/(\\\\)|\\(u00[01][0-9a-f]|u007f|[bfr])/gi, (whole, pair: string | undefined) =>
      pair === undefined ? `\\${whole}` : whole,
    )
    .replaceAll(/[\u007f-\u009f]/g, (control) => `\\\\u00${control.charCodeAt(0).toString(16)}`)
}
