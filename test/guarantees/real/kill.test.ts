import { afterAll, beforeAll, expect, it } from 'vitest'
import { seededRandom } from '../../../src/testing/seededRandom.ts'
import { crashPoints } from '../../support/faults/crashPoints.ts'
import { FaultRun } from '../../support/faults/faultRun.ts'
import { startFaultServers, type FaultServers } from '../../support/faults/faultServers.ts'
import { judge } from '../../support/faults/judge.ts'
import { endInOrder, killRounds, type KillPoint } from '../../support/faults/killRounds.ts'
import { reconcileUnderFaults } from '../../support/faults/reconcileFaults.ts'
import { describeWithServers } from '../../support/realServers.ts'

const messages = 20_000
const randomKills = 3
const job = reconcileUnderFaults()

describeWithServers('kill -9 with real Kafka and real Cassandra', ['java'], () => {
  let servers: FaultServers
  let run: FaultRun

  beforeAll(async () => {
    servers = await startFaultServers({ cassandra: true })
    run = new FaultRun(servers, job)
    await run.begin()
  }, 600_000)
  afterAll(async () => {
    await run.close()
    await servers.close()
  })

  it('leaves every message with exactly one result or dead letter, at any point of an epoch and at any time', async () => {
    await run.write(messages)
    const points: KillPoint[] = [...crashPoints, ...crashPoints]
    for (let n = 0; n < randomKills; n += 1) points.push('at a random moment')
    await killRounds(run, servers, points, seededRandom(11))
    // The rest without a limit: what is proved is proved by what comes before.
    const last = run.start({ 'reconcile.rate.limit': 100_000, 'reconcile.capacity': 1_000 })
    await run.until('everything is committed', async () => (await run.committedTotal()) === run.messages, 60_000)
    await endInOrder(last)

    const { live, fresh, console, doubled, outputs } = await judge(run, servers.bootstrap, job.outputs)
    expect(doubled).toEqual([])
    expect(fresh.length).toBeGreaterThanOrEqual(messages)
    expect(live).toEqual(fresh)
    expect(console).toEqual([...run.names].toSorted())
    const refused = outputs.filter(({ topic }) => topic === 'reconcile-dlq').map(({ key }) => key)
    expect(refused.toSorted()).toEqual(run.names.filter((name) => Number(name.split(':')[1]) % 50 === 0).toSorted())

    for (const point of crashPoints) {
      const counted = run.faults.filter(({ fault, uncommitted }) => fault === `killed ${point}` && uncommitted > 0)
      expect(counted.length).toBeGreaterThanOrEqual(2)
    }
    expect(run.faults.filter(({ uncommitted }) => uncommitted > 0).length).toBe(points.length)
  }, 400_000)
})
