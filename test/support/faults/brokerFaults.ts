import { readdirSync, statSync, truncateSync } from 'node:fs'
import path from 'node:path'
import { sleep, systemClock } from '../../../src/core/ports/clock.ts'
import type { ClusterServers } from './clusterServers.ts'
import { resumeLimitMs, type FaultRun } from './faultRun.ts'
import type { Leaders } from './leaders.ts'

/** Until the cluster takes a broker for dead (`broker.session.timeout.ms`), nothing can lead what it has led. */
const brokerSessionMs = 3_000
const inSyncLimitMs = 60_000

/** Moves all leaders again and again while the job sends. Resolves with how many were moved. */
export async function moveLeaders(run: FaultRun, leaders: Leaders, rounds: number, pauseMs = 400): Promise<number> {
  const uncommitted = await run.waiting()
  let moved = 0
  for (let round = 0; round < rounds; round += 1) {
    moved += await leaders.move()
    await sleep(systemClock, pauseMs)
  }
  await run.resumes('leaders moved', uncommitted)
  return moved
}

/**
 * Kills one broker as a power cut does, waits until the job commits in each partition without it, and starts it again on what
 * its disk had by then: the ends of its logs, which nobody has synced, are gone. Resolves when it has caught up, so that the
 * next one may be killed.
 */
export async function killBroker(
  run: FaultRun,
  { kafka }: ClusterServers,
  leaders: Leaders,
  { node, role }: { readonly node: number; readonly role: string },
): Promise<void> {
  const broker = kafka.brokers[node - 1]
  if (broker === undefined) throw new Error(`There is no broker ${String(node)}`)
  const uncommitted = await run.waiting()
  const struckMs = systemClock.monotonicMs()
  await broker.kill9()
  const lost = cutLogs(path.join(path.dirname(broker.logFile), 'data'))
  if (lost === 0) throw new Error(`Broker ${String(node)} has lost nothing`)
  await run.resumes(`broker killed: ${role}`, uncommitted, {
    limitMs: resumeLimitMs + brokerSessionMs,
    struckMs,
    led: leaders.ledWithout(node),
  })
  await broker.restart()
  await run.until('all replicas are in sync', () => leaders.inSync(), inSyncLimitMs)
}

const unsyncedBytes = 16 * 1024

/** Cuts the end of each partition's log, in the middle of a batch where it comes so. Gives how many logs lost some. */
function cutLogs(dataDirectory: string): number {
  let cut = 0
  for (const partition of readdirSync(dataDirectory, { withFileTypes: true })) {
    // What the controllers agree on is synced by them.
    if (!partition.isDirectory() || partition.name.startsWith('__cluster_metadata')) continue
    const place = path.join(dataDirectory, partition.name)
    const log = readdirSync(place)
      .filter((name) => name.endsWith('.log'))
      .toSorted()
      .at(-1)
    if (log === undefined) continue
    const { size } = statSync(path.join(place, log))
    if (size === 0) continue
    truncateSync(path.join(place, log), Math.max(0, size - unsyncedBytes))
    cut += 1
  }
  return cut
}
