import type { Logger } from '../core/ports/logger.ts'
import { createLogger } from '../runtime/job/logger.ts'
import type { ResolvedSettings } from '../runtime/settings/resolvedSettings.ts'
import type { CliIo } from './cliIo.ts'

/** The log of a command, which goes to where errors go. */
export function ownLogger(io: CliIo, settings: ResolvedSettings): Logger {
  const log = createLogger({
    level: settings.get('log.level'),
    format: settings.get('log.format'),
    stream: io.stderr,
    secrets: settings.secrets,
    clock: io.clock,
  })
  return io.worker === null ? log : log.with({ worker: io.worker.index + 1 })
}
