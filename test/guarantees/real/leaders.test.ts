import { afterAll, beforeAll, expect, it } from 'vitest'
import { killBroker, moveLeaders } from '../../support/faults/brokerFaults.ts'
import { startClusterServers, type ClusterServers } from '../../support/faults/clusterServers.ts'
import { FaultRun } from '../../support/faults/faultRun.ts'
import { judge } from '../../support/faults/judge.ts'
import { outOfOrder } from '../../support/faults/outputs.ts'
import { endInOrder } from '../../support/faults/killRounds.ts'
import { Leaders } from '../../support/faults/leaders.ts'
import { appendUnderFaults } from '../../support/faults/appendFaults.ts'
import { describeWithServers } from '../../support/realServers.ts'

const messages = 20_000
const moves = 3
/** Leaders of the topics of the job alone: four partitions of its input, two outputs and its changelog. */
const leadersOfJob = 16
const job = appendUnderFaults()

describeWithServers('three brokers', ['java'], () => {
  let servers: ClusterServers
  let run: FaultRun

  beforeAll(async () => {
    servers = await startClusterServers({ cassandra: false })
    run = new FaultRun(servers, job)
    await run.begin()
  }, 600_000)
  afterAll(async () => {
    await run.close()
    await servers.close()
  })

  it('append every record once to the list of its key, in order, while leaders and coordinators move and brokers are killed', async () => {
    await run.write(messages)
    const leaders = new Leaders(run.world)
    const worker = run.start()
    await run.until('the first commit', async () => (await run.committedTotal()) > 0, 60_000)

    const moved = await moveLeaders(run, leaders, moves)
    expect(moved).toBeGreaterThanOrEqual(moves * leadersOfJob)
    await run.keepAhead(messages / 4)
    const node = await leaders.coordinator('group', job.groupId)
    await killBroker(run, servers, leaders, { role: 'coordinator of the group', node })
    expect(worker.isAlive).toBe(true)
    await endInOrder(worker)
    await run.finish()

    const { mistakes, consoled } = await judge(run, servers.bootstrap, job)
    expect(mistakes).toEqual([])
    expect(outOfOrder(consoled, [])).toEqual([])
    expect(run.faults.map(({ fault }) => fault)).toEqual(['leaders moved', 'broker killed: coordinator of the group'])
    expect(run.faults.filter(({ uncommitted }) => uncommitted === 0)).toEqual([])
  }, 300_000)
})
