import { cpSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { systemClock } from '../../../src/core/ports/clock.ts'
import { countUnderFaults, wrongCounts } from '../../support/faults/countFaults.ts'
import { atPoint, crashPoints } from '../../support/faults/crashPoints.ts'
import { FaultRun } from '../../support/faults/faultRun.ts'
import { startFaultServers, type FaultServers } from '../../support/faults/faultServers.ts'
import { judge } from '../../support/faults/judge.ts'
import { outOfOrder } from '../../support/faults/outputs.ts'
import { endInOrder, killTogether, sharedOut } from '../../support/faults/killRounds.ts'
import { reconcileUnderFaults, refusedMessages } from '../../support/faults/reconcileFaults.ts'
import type { Worker } from '../../support/faults/worker.ts'
import { describeWithServers } from '../../support/realServers.ts'

const messages = 20_000
const reconcile = reconcileUnderFaults()
const count = countUnderFaults({ epochBytes: 1_024 })

// Nearly all of the time goes by while Kafka waits for the sessions of dead processes, so the two jobs share it.
describeWithServers('kill -9 with real Kafka and real Cassandra', ['java'], () => {
  let servers: FaultServers
  const runs: FaultRun[] = []

  beforeAll(async () => {
    servers = await startFaultServers({ cassandra: true })
  }, 600_000)
  afterAll(async () => {
    for (const run of runs) await run.close()
    await servers.close()
  })

  const begin = async (job: typeof reconcile): Promise<FaultRun> => {
    const run = new FaultRun(servers, job)
    runs.push(run)
    await run.begin()
    return run
  }

  it.concurrent(
    'leaves every message with exactly one result or dead letter at any point of an epoch, and in order where that is wanted',
    async () => {
      const run = await begin(reconcile)
      await run.write(messages)
      // Two workers, so each point twice.
      await killTogether(run, servers, ['after fetch', 'after commit, before apply'], {
        workers: 2,
      })
      const orderedFrom = await run.committed()
      const ordered = { 'reconcile.wait': 'ordered' }
      await killTogether(run, servers, ['with lookups in flight', 'after send', 'after offsets, before commit'], {
        workers: 2,
        settings: ordered,
      })
      await run.finish(ordered)

      const { mistakes, outputs } = await judge(run, servers.bootstrap, reconcile)
      expect(mistakes).toEqual([])
      expect(outputs.length).toBeGreaterThanOrEqual(messages)
      expect(refusedMessages(outputs)).toEqual(refusedMessages(run.names))
      expect(outOfOrder(outputs, orderedFrom)).toEqual([])
      // What was read unordered is not in order, or the sentence above would say nothing.
      expect(outOfOrder(outputs, [])).not.toEqual([])

      for (const point of crashPoints) {
        const counted = run.faults.filter(({ fault, uncommitted }) => fault === `killed ${point}` && uncommitted > 0)
        expect(counted.length).toBeGreaterThanOrEqual(2)
      }
      expect(run.faults.filter(({ uncommitted }) => uncommitted > 0).length).toBe(10)
    },
    400_000,
  )

  it.concurrent(
    'counts every record of a key once, in order, while processes join, are killed and end as they apply state, and are copied',
    async () => {
      const run = await begin(count)
      await run.write(messages / 2)
      const workers = [run.start({ 'state.slot': 0 })]
      await run.eachCommits(1)

      // The same place for its state a second time.
      const same = run.start({ 'state.slot': 0 })
      expect(await same.ended).toEqual({ code: 2, signal: null })
      expect(same.lastLines).toContain('Slot 0 under ')
      expect(same.lastLines).toContain('is held by another process of this job')
      await run.keepAhead(messages / 10)
      await run.resumes('same slot refused', await run.waiting())

      while (workers.length < 3) {
        await run.keepAhead(messages / 10)
        workers.push(run.start())
        await sharedOut(run, workers)
        await run.keepAhead(messages / 10)
        await run.resumes('a process joined', await run.waiting())
      }

      await run.keepAhead(messages / 4)
      const victims = workers.splice(0, 2)
      await Promise.all(victims.map((victim, afterMs) => whileApplying(victim, afterMs, () => victim.kill9())))
      for (const victim of victims) expect(await victim.ended).toEqual({ code: null, signal: 'SIGKILL' })
      const struckMs = systemClock.monotonicMs()
      const uncommitted = await run.waiting()
      const successors = [run.start(), run.start()]
      workers.push(...successors)
      await Promise.all(successors.map(({ started }) => started))
      await run.resumes('killed while state is applied', uncommitted, { struckMs, times: 2 })
      await sharedOut(run, workers)
      await run.keepAhead(messages / 10)

      const [leaver] = workers.splice(0, 1)
      if (leaver === undefined) throw new Error('no worker is left')
      await whileApplying(leaver, 0, () => void leaver.terminate())
      expect(await leaver.ended).toEqual({ code: 0, signal: null })
      await run.keepAhead(messages / 10)
      await run.resumes('SIGTERM while state is applied', await run.waiting())
      for (const worker of workers) await endInOrder(worker)

      // A machine and its copy: the same slot, and the same state in it.
      const copy = path.join(run.dataDirectory, '..', 'copy')
      cpSync(run.dataDirectory, copy, { recursive: true })
      await run.keepAhead(messages / 10)
      const twins = [run.start({ 'state.slot': 0 }), run.start({ 'state.slot': 0, 'data.dir': copy })]
      await sharedOut(run, twins)
      await run.keepAhead(messages / 10)
      await run.resumes('copied process', await run.waiting())
      const [original, copied] = twins
      if (original === undefined || copied === undefined) throw new Error('there are two')
      await endInOrder(original)
      // What the copy was not given until now is old in its store.
      await sharedOut(run, [copied])
      await run.keepAhead(messages / 10)
      await run.resumes('copied process alone', await run.waiting())
      await endInOrder(copied)

      await run.write(Math.max(messages, run.messages))
      await run.finish({ 'checkpoint.max.bytes': 1_000_000 })
      const { mistakes, outputs } = await judge(run, servers.bootstrap, count)
      expect(mistakes).toEqual([])
      expect(wrongCounts(outputs)).toEqual([])
      expect(run.faults.map(({ fault }) => fault)).toEqual([
        'same slot refused',
        'a process joined',
        'a process joined',
        'killed while state is applied',
        'killed while state is applied',
        'SIGTERM while state is applied',
        'copied process',
        'copied process alone',
      ])
      expect(run.faults.filter(({ uncommitted: left }) => left === 0)).toEqual([])
    },
    400_000,
  )

  /** Acts so many ms after the answer to a commit has reached a worker: its state is being applied, or about to be. */
  const whileApplying = async (worker: Worker, afterMs: number, act: () => void): Promise<void> => {
    await atPoint('after commit, before apply', worker, servers, () => {
      setTimeout(act, afterMs)
      return 'pass'
    })
  }
})
