import { sleep, systemClock } from '../../../src/core/ports/clock.ts'
import { systemRandom, type Random } from '../../../src/core/ports/random.ts'
import { killAt, type CrashPoint } from './crashPoints.ts'
import { partitions, type FaultRun } from './faultRun.ts'
import type { FaultServers } from './faultServers.ts'
import type { Worker } from './worker.ts'

export type KillPoint = CrashPoint | 'at a random moment'

type Settings = Readonly<Record<string, string | number>>

/** So many at once, so that there is something to fetch at a moment of the test's choice. */
const freshMessages = 400

/**
 * Starts workers that share the partitions, kills all of them at each of these points in turn, each when it comes to it, and
 * starts as many anew each time. Every worker counts as one kill. Nobody is left to take over, so the new ones do. Waits
 * each time until commits go on; the last workers have ended in order when this resolves. Throws when one ends in any other
 * way.
 */
export async function killTogether(
  run: FaultRun,
  servers: FaultServers,
  points: readonly KillPoint[],
  options: { readonly random?: Pick<Random, 'next'>; readonly workers?: number; readonly settings?: Settings },
): Promise<void> {
  const { random = systemRandom, settings = {} } = options
  const startAll = (): readonly Worker[] => Array.from({ length: options.workers ?? 1 }, () => run.start(settings))
  let workers = startAll()
  await sharedOut(run, workers)
  for (const point of points) {
    await run.keepAhead()
    // Every worker is in the middle of its work, with all that it needs for it.
    await run.goesOn('all workers commit')
    if (point === 'at a random moment') {
      await sleep(systemClock, random.next() * 800)
      for (const worker of workers) worker.kill9()
    } else {
      const killed = killAt(point, workers, servers)
      if (point === 'after fetch') await run.write(run.messages + freshMessages)
      await run.within(`all workers are killed ${point}`, killed, 30_000)
    }
    for (const worker of workers) {
      const { signal } = await worker.ended
      if (signal !== 'SIGKILL')
        throw new Error(`${worker.name} was not killed ${point}, it ended by itself:\n${worker.lastLines}`)
    }
    const struckMs = systemClock.monotonicMs()
    const uncommitted = await run.waiting()
    workers = startAll()
    await Promise.all(workers.map(({ started }) => started))
    await run.resumes(`killed ${point}`, uncommitted, { struckMs, times: workers.length })
    await sharedOut(run, workers)
  }
  for (const worker of workers) await endInOrder(worker)
}

/** Resolves when every worker is in the group, with its share of the tasks. */
export async function sharedOut(run: FaultRun, workers: readonly Worker[]): Promise<void> {
  await Promise.all(workers.map(({ joined }) => joined))
  const least = Math.floor(partitions / workers.length)
  await run.until(
    'all tasks are shared out',
    () =>
      new Set(workers.flatMap(({ tasks }) => tasks)).size === partitions &&
      workers.every(({ tasks }) => tasks.length >= least && tasks.length <= least + 1),
    30_000,
  )
}

/** SIGTERM, after which a worker commits what it has and ends with 0. */
export async function endInOrder(worker: Worker): Promise<void> {
  const { code } = await worker.terminate()
  if (code !== 0) throw new Error(`${worker.name} ended with ${String(code)} at SIGTERM:\n${worker.lastLines}`)
}
