import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { sleep, systemClock } from '../../../src/core/ports/clock.ts'
import { allLookUp, atPoint, crashPoints } from '../../support/faults/crashPoints.ts'
import { api, type Passage } from '../../support/faults/framedProxy.ts'
import { FaultRun, lookupTimeoutMs, resumeLimitMs } from '../../support/faults/faultRun.ts'
import { startFaultServers, type FaultServers } from '../../support/faults/faultServers.ts'
import { judge } from '../../support/faults/judge.ts'
import { sharedOut } from '../../support/faults/killRounds.ts'
import { leaked, openFiles } from '../../support/faults/openFiles.ts'
import { reconcileUnderFaults, refusedMessages, twinUnderFaults } from '../../support/faults/reconcileFaults.ts'
import type { Worker } from '../../support/faults/worker.ts'
import { describeWithServers } from '../../support/realServers.ts'

const messages = 20_000
const job = reconcileUnderFaults()
/** The driver waits up to so long before it tries a node again that was away. */
const reconnectMs = 10_000
const cassandraLimit = { limitMs: resumeLimitMs + reconnectMs }
const inOrder = { code: 0, signal: null }
/** A process with nothing more to do is gone soon: nothing may keep it alive. */
const endMs = 10_000

// One job under one fault after the other; the last test looks at all that it has written.
describeWithServers('a job whose servers and processes fail', ['java'], () => {
  let servers: FaultServers
  let run: FaultRun
  let worker: Worker
  let openAtFirst: ReadonlyMap<string, number>

  beforeAll(async () => {
    servers = await startFaultServers({ cassandra: true })
    run = new FaultRun(servers, job)
    await run.begin()
    await run.write(messages)
    // No restart is allowed to it: neither an outage nor a fence is one of its failures.
    worker = run.start({ 'restart.strategy': 'none' })
    await sharedOut(run, [worker])
    await run.eachCommits(50)
    openAtFirst = openFiles(worker.pid)
  }, 600_000)
  afterEach(async () => {
    servers.kafkaProxy.letAllPass()
    servers.cassandraProxy?.letAllPass()
    servers.kafka.thaw()
    servers.cassandra?.thaw()
    if (worker.isAlive) worker.thaw()
    await run.keepAhead()
  })
  afterAll(async () => {
    await run.close()
    await servers.close()
  })

  it('goes on when the answers to commits are lost, or come when they are given up, and those commits count once', async () => {
    const uncommitted = await run.waiting()
    const givenUp = worker.count('Request EndTxn')
    const passages: Passage[] = ['drop', 6_000]
    servers.kafkaProxy.onAnswer = ({ apiKey, lastByte }) =>
      apiKey === api.endTxn && lastByte === 1 ? (passages.shift() ?? 'pass') : 'pass'
    await run.until('two commits were given up', () => worker.count('Request EndTxn') === givenUp + 2, 15_000)
    await run.resumes('commit answer lost', uncommitted)
    await sleep(systemClock, 2_000)
    await run.resumes('commit answer delayed', uncommitted)
    expect(worker.isAlive).toBe(true)
  }, 60_000)

  it('goes on after the broker was killed and started again', async () => {
    const uncommitted = await run.waiting()
    await servers.kafka.kill9()
    await servers.kafka.restart()
    await run.resumes('broker killed', uncommitted)
    expect(worker.isAlive).toBe(true)
  }, 120_000)

  it('goes on after the broker stood still for 5 s', async () => {
    const uncommitted = await run.waiting()
    servers.kafka.freeze()
    await sleep(systemClock, 5_000)
    servers.kafka.thaw()
    await run.resumes('broker frozen 5 s', uncommitted)
    expect(worker.isAlive).toBe(true)
  }, 60_000)

  it('goes on while Cassandra answers late, and takes it for no outage', async () => {
    const outages = worker.count('A system does not answer; the input is paused')
    const { cassandraProxy } = servers
    if (cassandraProxy === null) throw new Error('there is one')
    // A busy machine adds to it.
    cassandraProxy.onAnswer = () => lookupTimeoutMs / 5
    const uncommitted = await run.waiting()
    await run.goesOn('commits go on')
    await run.resumes('Cassandra slow', uncommitted)
    expect(worker.count('A system does not answer; the input is paused')).toBe(outages)
  }, 60_000)

  it('goes on after Cassandra has answered nothing for three lookup deadlines, without a dead letter for it', async () => {
    const uncommitted = await run.waiting()
    const { cassandraProxy } = servers
    if (cassandraProxy === null) throw new Error('there is one')
    cassandraProxy.onAnswer = () => 'drop'
    await sleep(systemClock, 3 * lookupTimeoutMs)
    cassandraProxy.letAllPass()
    await run.resumes('Cassandra silent 3 deadlines', uncommitted, cassandraLimit)
    expect(worker.isAlive).toBe(true)
  }, 60_000)

  it('goes on after Cassandra stood still for three lookup deadlines, without a dead letter for it', async () => {
    const uncommitted = await run.waiting()
    servers.cassandra?.freeze()
    await sleep(systemClock, 3 * lookupTimeoutMs)
    servers.cassandra?.thaw()
    await run.resumes('Cassandra frozen 3 deadlines', uncommitted, cassandraLimit)
    expect(worker.isAlive).toBe(true)
  }, 60_000)

  it('goes on after Cassandra was killed and started again, without a dead letter for it', async () => {
    const uncommitted = await run.waiting()
    await servers.cassandra?.kill9()
    await servers.cassandra?.restart()
    await run.resumes('Cassandra killed', uncommitted, cassandraLimit)
    expect(worker.isAlive).toBe(true)
  }, 180_000)

  it('a process that stood still until another took its partitions changes nothing when it wakes', async () => {
    const uncommitted = await run.waiting()
    worker.freeze()
    const other = run.start()
    await other.started
    await run.resumes('worker frozen', uncommitted)
    const stale = await run.waiting()
    worker.thaw()
    await sharedOut(run, [worker, other])
    await run.resumes('zombie thawed', stale)
    expect(worker.isAlive).toBe(true)
    // In the middle of an epoch, as at any time.
    expect(await other.terminate()).toEqual(inOrder)
    await run.resumes('SIGTERM of one of two', stale)
  }, 120_000)

  it('processes that come and go, one to three at a time', async () => {
    const uncommitted = await run.waiting()
    const [first, second] = [run.start(), run.start()]
    await sharedOut(run, [worker, first, second])
    const third = run.start()
    expect(await first.terminate()).toEqual(inOrder)
    await sharedOut(run, [worker, second, third])
    expect(await Promise.all([second.terminate(), third.terminate()])).toEqual([inOrder, inOrder])
    await sharedOut(run, [worker])
    await run.resumes('join and leave storm', uncommitted)
    expect(worker.isAlive).toBe(true)
  }, 120_000)

  it('a job that was given the transactional ids of one that runs is refused before any fence, and changes nothing', async () => {
    const uncommitted = await run.waiting()
    const twins = new FaultRun(servers, twinUnderFaults())
    try {
      await twins.begin()
      await twins.write(messages / 4)
      const told = worker.count('another process has taken the transactional id over')
      const twin = twins.start()
      expect(await twin.ended).toEqual({ code: 2, signal: null })
      expect(twin.lastLines).toContain('job-name-in-use')
      await run.resumes('same transactional ids', uncommitted)
      expect(worker.count('another process has taken the transactional id over')).toBe(told)
      expect(await twins.committedTotal()).toBe(0)
    } finally {
      await twins.close()
    }
    expect(worker.isAlive).toBe(true)
  }, 60_000)

  it('after all of this a process holds no more connections and files than at first, and nothing keeps it from its end', async () => {
    expect(openAtFirst.size).toBeGreaterThan(process.platform === 'linux' ? 3 : -1)
    let more: readonly string[] = []
    await run
      .until('nothing has leaked', () => (more = leaked(openAtFirst, openFiles(worker.pid))).length === 0, 5_000)
      .catch(() => undefined)
    expect(more).toEqual([])
    const stoppedMs = systemClock.monotonicMs()
    expect(await worker.terminate()).toEqual(inOrder)
    expect(systemClock.monotonicMs() - stoppedMs).toBeLessThan(endMs)
  }, 60_000)

  it('goes on after the broker stood still beyond the session and the transaction timeout', async () => {
    // Both are less than the broker will stand still.
    worker = run.start({ 'checkpoint.timeout.ms': 2_000, 'kafka.transaction.timeout.ms': 6_500 })
    await sharedOut(run, [worker])
    const uncommitted = await run.waiting()
    const inTransaction = atPoint('after send', worker, servers, () => {
      servers.kafka.freeze()
      return 'pass'
    })
    await run.within('a worker is in a transaction', inTransaction, 15_000)
    await sleep(systemClock, 8_000)
    servers.kafka.thaw()
    await run.resumes('broker frozen beyond the timeouts', uncommitted)
    expect(await worker.terminate()).toEqual(inOrder)
  }, 60_000)

  it('ends in order at SIGTERM in any phase of an epoch', async () => {
    for (const point of crashPoints) {
      worker = run.start()
      await sharedOut(run, [worker])
      await run.keepAhead()
      const uncommitted = await run.waiting()
      const told = atPoint(point, worker, servers, () => {
        void worker.terminate()
        // Still in flight when the signal has come.
        return point === 'with lookups in flight' ? 300 : 'pass'
      })
      if (point === 'after fetch') await run.write(run.messages + 400)
      await run.within(`SIGTERM ${point}`, told, 15_000)
      const toldMs = systemClock.monotonicMs()
      expect(await worker.ended).toEqual(inOrder)
      expect(systemClock.monotonicMs() - toldMs).toBeLessThan(endMs)
      run.note(`SIGTERM ${point}`, uncommitted)
    }
    worker = run.start()
    await run.resumes('SIGTERM in any phase', await run.waiting())
  }, 120_000)

  it('leaves at once at a second SIGTERM', async () => {
    const uncommitted = await run.waiting()
    await run.within('lookups are in flight', allLookUp(servers, 1), 15_000)
    const ended = worker.terminate()
    await run.until('the first one has come', () => worker.count('A second signal leaves at once') === 1, 5_000)
    expect(worker.isAlive).toBe(true)
    const stoppedMs = systemClock.monotonicMs()
    void worker.terminate()
    expect(await ended).toEqual({ code: 1, signal: null })
    expect(systemClock.monotonicMs() - stoppedMs).toBeLessThan(2_000)
    servers.cassandraProxy?.letAllPass()
    worker = run.start(job.unlimited)
    await worker.started
    await run.resumes('second SIGTERM', uncommitted)
  }, 60_000)

  it('leaves every message with exactly one result or dead letter after all of this', async () => {
    await run.until('everything is committed', async () => (await run.waiting()) === 0, 60_000)
    expect(await worker.terminate()).toEqual(inOrder)
    const { mistakes, outputs } = await judge(run, servers.bootstrap, job)
    expect(mistakes).toEqual([])
    // Dead letters for what is no JSON, and none for an outage.
    expect(refusedMessages(outputs)).toEqual(refusedMessages(run.names))
    expect(run.faults.map(({ fault }) => fault)).toEqual([
      'commit answer lost',
      'commit answer delayed',
      'broker killed',
      'broker frozen 5 s',
      'Cassandra slow',
      'Cassandra silent 3 deadlines',
      'Cassandra frozen 3 deadlines',
      'Cassandra killed',
      'worker frozen',
      'zombie thawed',
      'SIGTERM of one of two',
      'join and leave storm',
      'same transactional ids',
      'broker frozen beyond the timeouts',
      ...crashPoints.map((point) => `SIGTERM ${point}`),
      'SIGTERM in any phase',
      'second SIGTERM',
    ])
    expect(run.faults.filter(({ uncommitted }) => uncommitted === 0)).toEqual([])
  }, 180_000)
})
