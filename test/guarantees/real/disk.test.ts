import { afterAll, beforeAll, expect, it } from 'vitest'
import { countUnderFaults, wrongCounts } from '../../support/faults/countFaults.ts'
import { FaultRun } from '../../support/faults/faultRun.ts'
import { startFaultServers, type FaultServers } from '../../support/faults/faultServers.ts'
import { judge } from '../../support/faults/judge.ts'
import { localState, replayedState } from '../../support/faults/localState.ts'
import { describeWithServers } from '../../support/realServers.ts'

const messages = 20_000
/** Some epochs of local state, far less than all of them. */
const maxFileBytes = 8 * 1024
const rounds = 2
const job = countUnderFaults({ epochBytes: 2_048 })

describeWithServers('a full disk under keyed state', ['java'], () => {
  let servers: FaultServers
  let run: FaultRun

  beforeAll(async () => {
    servers = await startFaultServers({ cassandra: false })
    run = new FaultRun(servers, job)
    await run.begin()
  }, 600_000)
  afterAll(async () => {
    await run.close()
    await servers.close()
  })

  it('stops the job with the path; what was committed stays, and the state is that of a replay when there is room again', async () => {
    await run.write(messages)
    for (let round = 0; round < rounds; round += 1) {
      const before = await run.waiting()
      const worker = run.start({}, { maxFileBytes })
      expect(await worker.ended).toEqual({ code: 1, signal: null })
      expect(worker.lastLines).toContain('disk-failed')
      expect(worker.lastLines).toContain(`The state in ${run.dataDirectory}`)
      expect(worker.lastLines).toContain('File too large')
      const uncommitted = await run.waiting()
      expect(uncommitted).toBeGreaterThan(0)
      expect(uncommitted).toBeLessThan(before)
      await run.checkLive()
    }
    await run.finish()

    const { mistakes, outputs } = await judge(run, servers.bootstrap, job)
    expect(mistakes).toEqual([])
    expect(wrongCounts(outputs)).toEqual([])
    const replayed = await replayedState(run, 'count')
    expect(replayed.size).toBeGreaterThan(0)
    expect(await localState(run.dataDirectory)).toEqual(replayed)
  }, 180_000)
})
