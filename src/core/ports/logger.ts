/** Fields of a log line. Never a secret, never a record's content. */
export type LogFields = Readonly<Record<string, unknown>>

/** Structured log: one event a line. */
export interface Logger {
  debug(message: string, fields?: LogFields): void
  info(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  error(message: string, fields?: LogFields): void
  /** A logger whose lines all carry these fields. */
  with(fields: LogFields): Logger
}

/** A logger that writes nothing. */
export const silentLogger: Logger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  with: () => silentLogger,
}

/** Closes what holds nothing that is not committed: a close that fails is told, and does not hide how its task ended. */
export async function closeQuietly(what: string, open: { close(): Promise<void> } | null, log: Logger): Promise<void> {
  try {
    await open?.close()
  } catch (error) {
    log.warn(`Closing ${what} failed`, { error })
  }
}
