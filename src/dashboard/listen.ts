import type { Server } from 'node:http'
import { TidemarkError, messageOf } from '../core/errors.ts'
import type { Logger } from '../core/logger.ts'

/** Only this machine. */
const host = '127.0.0.1'
/** Ports that are tried from the default one on: enough for the processes that one machine runs. */
const tries = 50

export interface ListenOptions {
  readonly port: number
  /** True when somebody chose the port: then it is that one or none. */
  readonly explicit: boolean
  readonly log: Logger
}

/**
 * Listens on 127.0.0.1 and resolves with the port. A default port that is taken gives way to the next free one; null when
 * there is none.
 *
 * @throws TidemarkError `port-unavailable` for a chosen port.
 */
export async function listen(server: Server, { port, explicit, log }: ListenOptions): Promise<number | null> {
  if (explicit) {
    const failed = await tryPort(server, port)
    if (failed === null) return port
    throw new TidemarkError(
      'port-unavailable',
      `dashboard.port is ${String(port)}, and that port cannot be used: ${failed.code === 'EADDRINUSE' ? 'another program listens on it' : failed.message}. Choose another one, leave it out for the next free one, or set it to 0 for no live page`,
      { cause: failed, details: { port } },
    )
  }
  for (let next = port; next < port + tries && next <= 65_535; next += 1) {
    const failed = await tryPort(server, next)
    if (failed === null) return next
    if (failed.code === 'EADDRINUSE') continue
    log.warn('There is no live page and no /metrics', { reason: messageOf(failed) })
    return null
  }
  log.warn('There is no live page and no /metrics: no port is free', { from: port, tries })
  return null
}

function tryPort(server: Server, port: number): Promise<NodeJS.ErrnoException | null> {
  return new Promise((resolve) => {
    const onError = (error: NodeJS.ErrnoException): void => {
      server.off('listening', onListening)
      resolve(error)
    }
    const onListening = (): void => {
      server.off('error', onError)
      resolve(null)
    }
    server.once('error', onError)
    server.once('listening', onListening)
    server.listen(port, host)
  })
}
