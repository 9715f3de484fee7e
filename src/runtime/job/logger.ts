import { pino } from 'pino'
import pretty from 'pino-pretty'
import { systemClock, type Clock } from '../../core/ports/clock.ts'
import { TidemarkError, messageOf } from '../../core/errors.ts'
import type { LogFields, Logger } from '../../core/ports/logger.ts'
import type { Secrets } from '../../core/secrets.ts'
import { visible, visibleJson, visibleLines } from '../../core/visible.ts'

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
  /** What never appears in a line. */
  readonly secrets: Secrets
  /** Default: the machine's. */
  readonly clock?: Clock
}

/** Fields of these names are masked whatever they hold. */
const secretFields = ['password', 'secret', 'token', 'sasl', 'credentials']

/** A logger of JSON lines, or of lines for people, one `write` a line; nothing is buffered. */
export function createLogger(options: LoggerOptions): Logger {
  const { level, format, stream, secrets, clock = systemClock } = options
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
        const masked = secrets.maskJson(line.trimEnd())
        stream.write(forPeople ? present(masked) : `${visibleJson(masked)}\n`)
      },
    },
  )
  return wrap(root)
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

/** Turns a JSON line into one for people. */
function prettyLines(stream: LogStream): (line: string) => string {
  const format = pretty.prettyFactory({
    colorize: stream.hasColors?.() ?? false,
    translateTime: 'SYS:HH:MM:ss.l',
    errorLikeObjectKeys: [],
    singleLine: true,
  })
  return (line) => format(visibleIn(JSON.parse(line), 0))
}

/**
 * A line's texts with everything invisible as escapes: an error may quote a message, and a message must not move the cursor of
 * the terminal that shows it. The message itself is one line; newlines of a field, as a stack has, are spelt by JSON.
 */
function visibleIn(value: unknown, depth: number): object {
  const shown = (inner: unknown): unknown => {
    if (typeof inner === 'string') return depth === 0 ? visible(inner) : visibleLines(inner)
    return typeof inner === 'object' && inner !== null ? visibleIn(inner, depth + 1) : inner
  }
  if (Array.isArray(value)) return value.map(shown)
  return Object.fromEntries(Object.entries(value ?? {}).map(([name, inner]) => [visible(name), shown(inner)]))
}
