import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { sleep, systemClock } from '../../../src/core/clock.ts'
import { api } from '../../support/faults/framedProxy.ts'
import { FaultRun, lookupTimeoutMs, resumeLimitMs } from '../../support/faults/faultRun.ts'
import { startFaultServers, type FaultServers } from '../../support/faults/faultServers.ts'
import { judge } from '../../support/faults/judge.ts'
import { reconcileUnderFaults } from '../../support/faults/reconcileFaults.ts'
import type { Worker } from '../../support/faults/worker.ts'
import { describeWithServers } from '../../support/realServers.ts'

const messages = 20_000
const job = reconcileUnderFaults()
/** The driver waits up to so long before it tries a node again that was away. */
const reconnectMs = 10_000

// One job under one fault after the other; the last test looks at all that it has written.
describeWithServers('a job whose servers and processes fail', ['java'], () => {
  let servers: FaultServers
  let run: FaultRun
  let worker: Worker

  beforeAll(async () => {
    servers = await startFaultServers({ cassandra: true })
    run = new FaultRun(servers, job)
    await run.begin()
    await run.write(messages)
    worker = run.start()
    await run.until('the first commit', async () => (await run.committedTotal()) > 0, 60_000)
  }, 600_000)
  afterEach(async () => {
    servers.kafkaProxy.letAllPass()
    servers.kafka.thaw()
    servers.cassandra?.thaw()
    worker.thaw()
    await run.keepAhead()
  })
  afterAll(async () => {
    await run.close()
    await servers.close()
  })

  const waiting = async (): Promise<number> => run.messages - (await run.committedTotal())

  /** Does this to the next commit's answer; resolves when it came by. */
  const nextCommitAnswer = (passage: 'drop' | number): Promise<void> =>
    new Promise((resolve) => {
      servers.kafkaProxy.onAnswer = ({ apiKey, lastByte }) => {
        if (apiKey !== api.endTxn || lastByte !== 1) return 'pass'
        servers.kafkaProxy.letAllPass()
        resolve()
        return passage
      }
    })

  it('goes on when the answer to a commit is lost, and the commit counts once', async () => {
    const uncommitted = await waiting()
    await nextCommitAnswer('drop')
    await run.resumes('commit answer lost', uncommitted)
    expect(worker.isAlive).toBe(true)
  }, 60_000)

  it('goes on when the answer to a commit comes after the request was given up', async () => {
    const uncommitted = await waiting()
    await nextCommitAnswer(6_000)
    await sleep(systemClock, 6_000)
    await run.resumes('commit answer delayed', uncommitted)
    expect(worker.isAlive).toBe(true)
  }, 60_000)

  it('goes on after the broker was killed and started again', async () => {
    const uncommitted = await waiting()
    await servers.kafka.kill9()
    await servers.kafka.restart()
    await run.resumes('broker killed', uncommitted)
    expect(worker.isAlive).toBe(true)
  }, 120_000)

  it('goes on after the broker stood still for 5 s', async () => {
    const uncommitted = await waiting()
    servers.kafka.freeze()
    await sleep(systemClock, 5_000)
    servers.kafka.thaw()
    await run.resumes('broker frozen 5 s', uncommitted)
    expect(worker.isAlive).toBe(true)
  }, 60_000)

  it('goes on after Cassandra stood still for three lookup deadlines, without a dead letter for it', async () => {
    const uncommitted = await waiting()
    servers.cassandra?.freeze()
    await sleep(systemClock, 3 * lookupTimeoutMs)
    servers.cassandra?.thaw()
    await run.resumes('Cassandra frozen 3 deadlines', uncommitted, { limitMs: resumeLimitMs + reconnectMs })
    expect(worker.isAlive).toBe(true)
  }, 60_000)

  it('goes on after Cassandra was killed and started again, without a dead letter for it', async () => {
    const uncommitted = await waiting()
    await servers.cassandra?.kill9()
    await servers.cassandra?.restart()
    await run.resumes('Cassandra killed', uncommitted, { limitMs: resumeLimitMs + reconnectMs })
    expect(worker.isAlive).toBe(true)
  }, 180_000)

  it('a process that stood still until another took its partitions changes nothing when it wakes', async () => {
    const uncommitted = await waiting()
    worker.freeze()
    const other = run.start()
    await other.started
    await run.resumes('worker frozen', uncommitted, { limitMs: resumeLimitMs + 5_000 })
    const stale = await waiting()
    worker.thaw()
    await run.resumes('zombie thawed', stale)
    expect(worker.isAlive).toBe(true)
    expect(other.isAlive).toBe(true)
    // In the middle of an epoch, as at any time.
    expect(await other.terminate()).toEqual({ code: 0, signal: null })
    await run.resumes('SIGTERM of one of two', stale)
  }, 120_000)

  it('processes that come and go, one to three at a time', async () => {
    const uncommitted = await waiting()
    const joined: Worker[] = []
    for (const count of [2, 1, 2, 0]) {
      while (joined.length < count) joined.push(run.start())
      await sleep(systemClock, 1_500)
      while (joined.length > count) expect(await joined.shift()?.terminate()).toEqual({ code: 0, signal: null })
    }
    await run.resumes('join and leave storm', uncommitted)
    expect(worker.isAlive).toBe(true)
  }, 120_000)

  it('leaves every message with exactly one result or dead letter after all of this', async () => {
    expect(await worker.terminate()).toEqual({ code: 0, signal: null })
    worker = run.start({ 'reconcile.rate.limit': 100_000, 'reconcile.capacity': 1_000 })
    await run.until('everything is committed', async () => (await run.committedTotal()) === run.messages, 60_000)
    expect(await worker.terminate()).toEqual({ code: 0, signal: null })
    const { live, fresh, console, doubled, outputs } = await judge(run, servers.bootstrap, job.outputs)
    expect(doubled).toEqual([])
    expect(live).toEqual(fresh)
    expect(console).toEqual([...run.names].toSorted())
    // Dead letters for what is no JSON, and none for an outage.
    expect(
      outputs
        .filter(({ topic }) => topic === 'reconcile-dlq')
        .map(({ key }) => key)
        .toSorted(),
    ).toEqual(run.names.filter((name) => Number(name.split(':')[1]) % 50 === 0).toSorted())
    expect(run.faults.map(({ fault }) => fault)).toEqual([
      'commit answer lost',
      'commit answer delayed',
      'broker killed',
      'broker frozen 5 s',
      'Cassandra frozen 3 deadlines',
      'Cassandra killed',
      'worker frozen',
      'zombie thawed',
      'SIGTERM of one of two',
      'join and leave storm',
    ])
    expect(run.faults.filter(({ uncommitted }) => uncommitted === 0)).toEqual([])
  }, 180_000)
})
