import { sleep } from '../../../core/ports/clock.ts'
import { TidemarkError } from '../../../core/errors.ts'
import { dataDirectory } from './dataDirectory.ts'
import { HeldDirectory, readHolder, type HeldDirectoryOptions } from './heldDirectory.ts'
import { displayHolder, sameHolder, type Holder } from './holder.ts'
import { StoreClient } from './storeClient.ts'

/** How long a job waits for a command, and a command for a holder that does not answer yet. */
export const holderWaitMs = 15_000
const firstDelayMs = 5
const maxDelayMs = 100
const answerTimeoutMs = 1_000
/** A job that is named for so long and does not answer is starting, or busy: it holds the directory all the same. */
const silentJobMs = 500

/**
 * Takes a data directory for a job, for as long as the job runs. A command that holds it is waited for, up to 15 s; another
 * job is not: throws `directory-in-use` at once, naming process and job. Call `serve()` so that commands work meanwhile.
 */
export async function holdForJob(
  directory: string,
  job: string,
  options: HeldDirectoryOptions,
): Promise<HeldDirectory> {
  const { clock } = options
  const paths = dataDirectory(directory)
  const beganMs = clock.monotonicMs()
  let named: Holder | null = null
  let namedSinceMs = beganMs
  for (let delayMs = firstDelayMs; ; delayMs = Math.min(delayMs * 2, maxDelayMs)) {
    try {
      return await HeldDirectory.open(directory, { kind: 'job', job }, options)
    } catch (error) {
      if (!isInUse(error)) throw error
    }
    const holder = await readHolder(paths)
    if (holder?.kind === 'job') {
      const answered = await new StoreClient(holder.socket, clock).holder(answerTimeoutMs)
      if (!sameHolder(named, holder)) {
        named = holder
        namedSinceMs = clock.monotonicMs()
      }
      const isSure =
        (answered !== 'busy' && sameHolder(answered, holder)) || clock.monotonicMs() - namedSinceMs >= silentJobMs
      if (isSure) throw directoryInUse(paths.path, holder)
    }
    if (clock.monotonicMs() - beganMs >= holderWaitMs) throw directoryInUse(paths.path, holder)
    await sleep(clock, delayMs)
  }
}

export function isInUse(error: unknown): boolean {
  return error instanceof TidemarkError && error.code === 'directory-in-use'
}

export function directoryInUse(path: string, holder: Holder | null): TidemarkError {
  const who = displayHolder(holder)
  return new TidemarkError(
    'directory-in-use',
    `The data directory ${path} is held by ${who}. Stop it, or choose another directory with --data-dir`,
    { details: { path, pid: holder?.pid ?? null, job: holder?.job ?? null } },
  )
}
