import { sleep } from '../../../core/ports/clock.ts'
import { TidemarkError } from '../../../core/errors.ts'
import { dataDirectory, displayHolder, type Holder } from './holder.ts'
import {
  HeldDirectory,
  readHolder,
  directoryInUse,
  holderWaitMs,
  isInUse,
  type HeldDirectoryOptions,
} from './heldDirectory.ts'
import type { StoreAccess } from './storeAccess.ts'
import { HolderBusy, HolderGone, StoreClient } from './storeClient.ts'
import { maxSocketConnections, maxHeldBytes } from './wireLimits.ts'

const firstDelayMs = 2
const maxDelayMs = 50

/**
 * Runs a command's act on the store of a data directory: opened here if nobody holds it, else through the process that
 * does. While a holder is opening or closing it tries again, up to 15 s; throws `directory-in-use` after that, and
 * `system-unreachable` where the holder has too many others to answer.
 *
 * An act is short, one page or one append of a longer command, because a job that starts waits for its end. It is run again
 * from its beginning when the holder goes before it has answered any call, and fails with `system-unreachable` when the
 * holder goes later: so one call that writes, at its beginning, is never done twice.
 */
export async function withStore<T>(
  directory: string,
  options: HeldDirectoryOptions,
  act: (store: StoreAccess) => Promise<T>,
): Promise<T> {
  const { clock } = options
  const paths = dataDirectory(directory)
  const beganMs = clock.monotonicMs()
  for (let delayMs = firstDelayMs; ; delayMs = Math.min(delayMs * 2, maxDelayMs)) {
    const held = await openFree(directory, options)
    if (held !== null) {
      try {
        await held.serve()
        return await act(held.store)
      } finally {
        await held.close()
      }
    }
    const holder = await readHolder(paths)
    let isBusy = false
    if (holder !== null) {
      const client = new StoreClient(holder.socket, clock)
      try {
        return await act(client)
      } catch (error) {
        if (!(error instanceof HolderGone) || client.answers > 0) throw error
        isBusy = error instanceof HolderBusy
      }
    }
    if (clock.monotonicMs() - beganMs >= holderWaitMs)
      throw isBusy ? holderBusy(paths.path, holder) : directoryInUse(paths.path, holder)
    await sleep(clock, delayMs)
  }
}

function holderBusy(path: string, holder: Holder | null): TidemarkError {
  const most = `${String(maxSocketConnections)} connections and ${String(maxHeldBytes / 1024 / 1024)} MiB at a time`
  return new TidemarkError(
    'system-unreachable',
    `The data directory ${path} is held by ${displayHolder(holder)}, and its control socket has too many others to answer: ${most} is the most. End what else asks it, or try again later`,
    { details: { path, pid: holder?.pid ?? null, job: holder?.job ?? null } },
  )
}

/** Null when another process holds the directory. */
async function openFree(directory: string, options: HeldDirectoryOptions): Promise<HeldDirectory | null> {
  try {
    return await HeldDirectory.open(directory, { kind: 'command', job: null }, options)
  } catch (error) {
    if (isInUse(error)) return null
    throw error
  }
}
