import { afterAll, beforeAll, expect, it } from 'vitest'
import { killAt } from '../../support/faults/crashPoints.ts'
import { FaultRun } from '../../support/faults/faultRun.ts'
import { startFaultServers, type FaultServers } from '../../support/faults/faultServers.ts'
import { loseSendsAndKill, reconcileWith } from '../../support/faults/guaranteeFaults.ts'
import { judge } from '../../support/faults/judge.ts'
import { endInOrder } from '../../support/faults/killRounds.ts'
import { messageOf } from '../../support/faults/outputs.ts'
import { describeWithServers } from '../../support/realServers.ts'

const messages = 4_000
const kills = 2
const lostMessages = 200

// Exactly-once, which is neither of the two, is kill.test.ts.
describeWithServers('the guarantee of a sink, by kill -9', ['java'], () => {
  let servers: FaultServers
  let run: FaultRun

  beforeAll(async () => {
    servers = await startFaultServers({ cassandra: true })
  }, 600_000)
  afterAll(async () => {
    await servers.close()
  })

  it('at-least-once: nothing is lost at any time, and what was sent before a commit that never was is there twice', async () => {
    const job = reconcileWith('at-least-once')
    run = new FaultRun(servers, job)
    try {
      await run.begin()
      await run.write(messages)
      for (let kill = 0; kill < kills; kill += 1) {
        const before = await run.committedTotal()
        const worker = run.start()
        await run.until('it commits', async () => (await run.committedTotal()) > before, 60_000)
        await killAt('after offsets, before commit', worker, servers)
        expect(await worker.ended).toEqual({ code: null, signal: 'SIGKILL' })
        expect(await run.waiting()).toBeGreaterThan(0)
        // What is committed has its outputs, although nobody has repeated them yet.
        const committed = await run.committedTotal()
        await run.until('its outputs are read', async () => (await run.reader.report()).seen >= committed, 10_000)
      }
      await run.finish()
      const { wrong, outputs, consoled } = await judge(run, servers.bootstrap, job)
      expect(outputs.map(messageOf).toSorted()).toEqual([...run.names].toSorted())
      expect(outputs.length).toBe(messages)
      expect(wrong).toEqual([])
      expect(new Set(consoled.map(messageOf))).toEqual(new Set(run.names))
      expect(consoled.length).toBeGreaterThan(messages)
    } finally {
      await run.close()
    }
  }, 180_000)

  it('none: a commit does not wait for what was sent, so that a kill can lose it; what comes after the kill arrives', async () => {
    const job = reconcileWith('none')
    run = new FaultRun(servers, job)
    try {
      await run.begin()
      await run.write(messages)
      const worker = run.start()
      await run.until('it commits', async () => (await run.committedTotal()) > 0, 60_000)
      const committed = await loseSendsAndKill(run, servers, worker, lostMessages)
      expect(await run.waiting()).toBeGreaterThan(0)

      const after = run.names.filter((name) => numberOf(name) >= (committed[partitionOf(name)] ?? 0))
      const last = run.start(job.unlimited)
      await run.until('everything is committed', async () => (await run.waiting()) === 0, 60_000)
      let seen = new Set<string>()
      const look = async (): Promise<void> => {
        seen = new Set((await run.reader.report('outputs')).outputs.map(messageOf))
      }
      await run.until(
        'what came after the kill has arrived',
        async () => look().then(() => after.every((name) => seen.has(name))),
        30_000,
      )
      await endInOrder(last)
      const lost = run.names.filter((name) => !seen.has(name))
      expect(lost.length).toBeGreaterThanOrEqual(lostMessages / 2)
      // Committed, so that nobody does them again.
      expect(lost.filter((name) => numberOf(name) >= (committed[partitionOf(name)] ?? 0))).toEqual([])
      expect(new Set(run.names).isSupersetOf(seen)).toBe(true)
    } finally {
      await run.close()
    }
  }, 180_000)
})

function partitionOf(name: string): number {
  return Number(name.split(':')[0])
}

function numberOf(name: string): number {
  return Number(name.split(':')[1])
}
