import type { Logger } from '../../core/ports/logger.ts'

/** Closes what holds nothing that is not committed: a close that fails is told, and does not hide how its task ended. */
export async function closeQuietly(what: string, open: { close(): Promise<void> } | null, log: Logger): Promise<void> {
  try {
    await open?.close()
  } catch (error) {
    log.warn(`Closing ${what} failed`, { error })
  }
}
