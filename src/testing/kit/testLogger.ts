import type { LogFields, Logger } from '../../core/ports/logger.ts'

export interface LogLine {
  readonly level: 'debug' | 'info' | 'warn' | 'error'
  readonly message: string
  readonly fields: LogFields
}

/** Keeps log lines instead of writing them. */
export class TestLogger implements Logger {
  readonly lines: LogLine[]
  readonly #fields: LogFields

  constructor(lines: LogLine[] = [], fields: LogFields = {}) {
    this.lines = lines
    this.#fields = fields
  }

  debug(message: string, fields: LogFields = {}): void {
    this.#add('debug', message, fields)
  }

  info(message: string, fields: LogFields = {}): void {
    this.#add('info', message, fields)
  }

  warn(message: string, fields: LogFields = {}): void {
    this.#add('warn', message, fields)
  }

  error(message: string, fields: LogFields = {}): void {
    this.#add('error', message, fields)
  }

  with(fields: LogFields): TestLogger {
    return new TestLogger(this.lines, { ...this.#fields, ...fields })
  }

  #add(level: LogLine['level'], message: string, fields: LogFields): void {
    this.lines.push({ level, message, fields: { ...this.#fields, ...fields } })
  }
}
