import type { Logger } from '../../core/ports/logger.ts'
import { resolveSettings } from '../../runtime/settings/resolve.ts'
import { ownLogger, tryWithFile, type CommandContext } from '../commandContext.ts'

/**
 * Makes warnings of Node and of libraries lines of the log: Node itself would print them with all that they quote. `config` is
 * the properties file as it is named on the command line.
 */
export function logWarnings(context: CommandContext, config: string | null): void {
  context.io.onWarning((warning) => {
    const code = 'code' in warning ? ` (${String(warning.code)})` : ''
    const log = logOf(context, config)
    log.warn(`${warning.name}${code}: ${warning.message}`)
    if (warning.stack !== undefined) log.debug('Where it came from', { stack: warning.stack })
  })
}

/** As the settings of the log say, as far as they can be read: what is wrong with others the command tells. */
function logOf(context: CommandContext, config: string | null): Logger {
  const { io, flags, secrets } = context
  const ofLog = new Map([...flags].filter(([key]) => key.startsWith('log.')))
  const { environment } = io
  return (
    tryWithFile(context, config, (file) =>
      ownLogger(io, resolveSettings({ flags: ofLog, environment, file, job: null, secrets })),
    ) ?? ownLogger(io, resolveSettings({ flags: new Map(), environment: {}, file: null, job: null, secrets }))
  )
}
