import path from 'node:path'
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { sleep, systemClock } from '../../../src/core/ports/clock.ts'
import { appendUnderFaults } from '../../support/faults/appendFaults.ts'
import { FaultRun, resumeLimitMs, sessionTimeoutMs } from '../../support/faults/faultRun.ts'
import { startFaultServers, type FaultServers } from '../../support/faults/faultServers.ts'
import { api, coordinatorApis } from '../../support/faults/framedProxy.ts'
import { judge } from '../../support/faults/judge.ts'
import { outOfOrder } from '../../support/faults/outputs.ts'
import { endInOrder, sharedOut } from '../../support/faults/killRounds.ts'
import { stepClock } from '../../support/faults/steppedClock.ts'
import type { Worker } from '../../support/faults/worker.ts'
import { describeWithServers } from '../../support/realServers.ts'

const messages = 20_000
const job = appendUnderFaults()
const overtakings = 3
const hourMs = 3_600_000

// One job under one fault after the other; the last test looks at all that it has written.
describeWithServers('a job whose network loses, holds back and parts', ['java'], () => {
  let servers: FaultServers
  let run: FaultRun
  let workers: readonly [Worker, Worker]

  beforeAll(async () => {
    servers = await startFaultServers({ cassandra: false })
    run = new FaultRun(servers, job)
    await run.begin()
    await run.write(messages)
    const clockFile = path.join(run.dataDirectory, '..', 'clock')
    workers = [run.start({}, { clockFile }), run.start()]
    await sharedOut(run, workers)
    await run.eachCommits(50)
  }, 600_000)
  afterEach(async () => {
    servers.kafkaProxy.letAllPass()
    await run.keepAhead()
  })
  afterAll(async () => {
    await run.close()
    await servers.close()
  })

  it('a commit that arrives when the task is in its next transaction already commits nothing of it', async () => {
    const uncommitted = await run.waiting()
    const [worker] = workers
    let overtaken = 0
    while (overtaken < overtakings) {
      const nextSends = Promise.withResolvers<void>()
      const arrived = Promise.withResolvers<void>()
      let held = false
      let fenced = false
      const end = servers.kafkaProxy.watch(worker.name, {
        onRequest({ apiKey, lastByte }) {
          if (!held && apiKey === api.endTxn && lastByte === 1) {
            held = true
            // As long as the next transaction takes to have something in it, and a moment longer.
            return nextSends.promise.then(() => sleep(systemClock, 5)).finally(arrived.resolve)
          }
          if (held && apiKey === api.initProducerId) fenced = true
          if (fenced && apiKey === api.produce) nextSends.resolve()
          return 'pass'
        },
      })
      await run.within('a held commit was overtaken', arrived.promise, 30_000)
      end()
      overtaken += 1
      await run.keepAhead()
      await run.goesOn('commits go on')
    }
    await run.resumes('commits overtaken', uncommitted)
    expect(workers.map(({ isAlive }) => isAlive)).toEqual([true, true])
  }, 180_000)

  it.each(['group', 'transactions'] as const)(
    'goes on after one of two processes could not reach its coordinator of %s for longer than its session',
    async (kind) => {
      const uncommitted = await run.waiting()
      const [apart] = workers
      const heal = servers.kafkaProxy.watch(apart.name, {
        onRequest: ({ apiKey }) => (coordinatorApis[kind].has(apiKey) ? 'drop' : 'pass'),
      })
      await sleep(systemClock, sessionTimeoutMs + 3_000)
      await run.keepAhead()
      heal()
      await run.resumes(`apart from the coordinator of ${kind}`, uncommitted)
      await sharedOut(run, workers)
      expect(workers.map(({ isAlive }) => isAlive)).toEqual([true, true])
    },
    120_000,
  )

  it('goes on after one of two processes could reach nothing for longer than its session', async () => {
    const uncommitted = await run.waiting()
    const [apart] = workers
    const heal = servers.kafkaProxy.watch(apart.name, { onRequest: () => 'drop' })
    await run.resumes('apart from everything', uncommitted, { limitMs: resumeLimitMs + sessionTimeoutMs })
    heal()
    await sharedOut(run, workers)
    expect(workers.map(({ isAlive }) => isAlive)).toEqual([true, true])
  }, 120_000)

  it('goes on while the wall clock of a process is set forward and back by hours', async () => {
    const uncommitted = await run.waiting()
    const clockFile = path.join(run.dataDirectory, '..', 'clock')
    for (const offMs of [hourMs, -hourMs, 1]) {
      stepClock(clockFile, offMs)
      await run.keepAhead()
      await run.goesOn(`commits go on with a clock that is off by ${String(offMs)} ms`)
    }
    await run.resumes('wall clock set', uncommitted)
    await sharedOut(run, workers)
    expect(workers.map(({ isAlive }) => isAlive)).toEqual([true, true])
  }, 60_000)

  it('has appended every message to the list of its key once, in order, after all of this', async () => {
    for (const worker of workers) await endInOrder(worker)
    await run.finish()
    const { mistakes, consoled } = await judge(run, servers.bootstrap, job)
    expect(mistakes).toEqual([])
    expect(outOfOrder(consoled, [])).toEqual([])
    expect(run.faults.map(({ fault }) => fault)).toEqual([
      'commits overtaken',
      'apart from the coordinator of group',
      'apart from the coordinator of transactions',
      'apart from everything',
      'wall clock set',
    ])
    expect(run.faults.filter(({ uncommitted }) => uncommitted === 0)).toEqual([])
  }, 120_000)
})
