import { sleep, systemClock } from '../../../src/core/clock.ts'
import type { Random } from '../../../src/core/random.ts'
import { killAt, type CrashPoint } from './crashPoints.ts'
import type { FaultRun } from './faultRun.ts'
import type { FaultServers } from './faultServers.ts'
import type { Worker } from './worker.ts'

export type KillPoint = CrashPoint | 'at a random moment'

/**
 * Starts a worker, kills it at each of these points in turn, starts another one each time, and waits until commits go on.
 * The last worker has ended in order when this resolves. Throws when one ends in any other way.
 */
export async function killRounds(
  run: FaultRun,
  servers: FaultServers,
  points: readonly KillPoint[],
  random: Pick<Random, 'next'>,
): Promise<void> {
  let worker = run.start()
  await run.until('the first commit', async () => (await run.committedTotal()) > 0, 60_000)
  for (const point of points) {
    await run.keepAhead()
    if (point === 'at a random moment') {
      await sleep(systemClock, random.next() * 800)
      worker.kill9()
    } else {
      if (point === 'after fetch') {
        // Later there may be nothing to fetch: what was written fits into the read-ahead.
        await endInOrder(worker)
        worker = run.start()
      }
      await killAt(point, worker, servers)
    }
    const { signal } = await worker.ended
    const struckMs = systemClock.now()
    if (signal !== 'SIGKILL')
      throw new Error(`${worker.name} was not killed ${point}, it ended by itself:\n${worker.lastLines}`)
    const uncommitted = run.messages - (await run.committedTotal())
    worker = run.start()
    await worker.started
    await run.resumes(`killed ${point}`, uncommitted, { struckMs })
  }
  await endInOrder(worker)
}

/** SIGTERM, after which a worker commits what it has and ends with 0. */
export async function endInOrder(worker: Worker): Promise<void> {
  const { code } = await worker.terminate()
  if (code !== 0) throw new Error(`${worker.name} ended with ${String(code)} at SIGTERM:\n${worker.lastLines}`)
}
