import { afterAll, beforeAll, expect, it } from 'vitest'
import { countUnderFaults, wrongCounts } from '../../support/faults/countFaults.ts'
import { earlierVersion, type EarlierVersion } from '../../support/earlierVersion.ts'
import { FaultRun } from '../../support/faults/faultRun.ts'
import { startFaultServers, type FaultServers } from '../../support/faults/faultServers.ts'
import { judge } from '../../support/faults/judge.ts'
import { endInOrder, sharedOut } from '../../support/faults/killRounds.ts'
import type { Worker } from '../../support/faults/worker.ts'
import { describeWithServers } from '../../support/realServers.ts'

const messages = 20_000
const job = countUnderFaults({ epochBytes: 1_024 })

describeWithServers('a rolling change from version 0.1.0, and back', ['java'], () => {
  let servers: FaultServers
  let run: FaultRun
  let earlier: EarlierVersion

  beforeAll(async () => {
    earlier = earlierVersion()
    servers = await startFaultServers({ cassandra: false })
    run = new FaultRun(servers, job)
    await run.begin()
  }, 600_000)
  afterAll(async () => {
    await run.close()
    await servers.close()
    earlier.remove()
  })

  it('counts every record of a key once, in order, while both versions share the partitions and hand them over', async () => {
    const old = (): Worker => run.start({}, { checkout: earlier.checkout })
    const share = async (what: string, workers: readonly Worker[]): Promise<void> => {
      await run.keepAhead(messages / 4)
      const uncommitted = await run.waiting()
      await sharedOut(run, workers)
      await run.resumes(what, uncommitted)
    }
    await run.write(messages / 2)
    const [first, second] = [old(), old()]
    await share('two of version 0.1.0', [first, second])

    const third = run.start()
    await share('one of this version joins', [first, second, third])
    await endInOrder(first)
    await share('one of version 0.1.0 ends', [second, third])
    second.kill9()
    await second.ended
    const fourth = run.start()
    await share('the other one is killed', [third, fourth])

    // What this version has written since then is read by the earlier one as well.
    third.kill9()
    await third.ended
    const fifth = old()
    await share('back to version 0.1.0 for one', [fourth, fifth])
    await endInOrder(fourth)
    await share('version 0.1.0 alone', [fifth])
    await endInOrder(fifth)

    await run.write(Math.max(messages, run.messages))
    await run.finish()
    const { mistakes, outputs } = await judge(run, servers.bootstrap, job)
    expect(mistakes).toEqual([])
    expect(wrongCounts(outputs)).toEqual([])
    expect(run.faults.filter(({ uncommitted }) => uncommitted === 0)).toEqual([])
  }, 300_000)
})
