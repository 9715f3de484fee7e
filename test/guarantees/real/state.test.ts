import { afterAll, beforeAll, expect, it } from 'vitest'
import { api } from '../../support/faults/framedProxy.ts'
import { FaultRun, type FaultedJob } from '../../support/faults/faultRun.ts'
import { startFaultServers, type FaultServers } from '../../support/faults/faultServers.ts'
import { judge } from '../../support/faults/judge.ts'
import { describeWithServers } from '../../support/realServers.ts'
import type { Worker } from '../../support/faults/worker.ts'

const messages = 20_000
const keysEach = 25
const applyKills = 2

/** Numbers the records of each key: one that is counted twice or not at all shows in the numbers after it. */
const job: FaultedJob = {
  file: 'test/support/jobs/count.ts',
  groupId: 'count',
  input: 'events',
  outputs: ['counts', 'counts-dlq'],
  message: (id, n) => ({ key: `${id.split(':')[0] ?? ''}-${String(n % keysEach)}`, value: id }),
  // Epochs of a few records, so that there is work for all of the test.
  settings: { 'checkpoint.max.bytes': 4_096 },
}

describeWithServers('keyed state with real Kafka', ['java'], () => {
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

  /** Kills a worker just after the answer to a commit has reached it: its state is being applied, or about to be. */
  const killWhileApplying = (worker: Worker, afterMs: number): Promise<void> =>
    new Promise((resolve) => {
      servers.kafkaProxy.onAnswer = ({ apiKey, clientId, lastByte }) => {
        if (apiKey === api.endTxn && clientId === worker.name && lastByte === 1) {
          servers.kafkaProxy.letAllPass()
          setTimeout(() => {
            worker.kill9()
            resolve()
          }, afterMs)
        }
        return 'pass'
      }
    })

  it('counts every record once, in order, while three processes join one after the other and are killed as they apply state', async () => {
    await run.write(messages / 2)
    const tasks = (text: string): boolean => workers.some((worker) => worker.count(`"tasks":"${text}"`) > 0)
    const workers = [run.start()]
    await run.until('the first commit', async () => (await run.committedTotal()) > 0, 30_000)
    for (const shared of ['2,3', '3']) {
      await run.keepAhead(messages / 10)
      workers.push(run.start())
      await run.until(`a process has tasks ${shared}`, () => tasks(shared), 30_000)
      await run.keepAhead(messages / 10)
      await run.resumes('a process joined', run.messages - (await run.committedTotal()))
    }
    for (let kill = 0; kill < applyKills; kill += 1) {
      await run.keepAhead(messages / 5)
      const [victim] = workers
      if (victim === undefined) throw new Error('no worker is left')
      await killWhileApplying(victim, kill)
      await victim.ended
      const uncommitted = run.messages - (await run.committedTotal())
      workers.splice(0, 1)
      const next = run.start()
      workers.push(next)
      await next.started
      await run.keepAhead(messages / 5)
      await run.resumes('killed while state is applied', uncommitted)
    }
    await run.write(Math.max(messages, run.messages))
    await run.until('everything is committed', async () => (await run.committedTotal()) === run.messages, 90_000)
    for (const worker of workers) expect(await worker.terminate()).toEqual({ code: 0, signal: null })

    const { live, fresh, console, doubled, outputs } = await judge(run, servers.bootstrap, job.outputs)
    expect(doubled).toEqual([])
    expect(live).toEqual(fresh)
    expect(console).toEqual([...run.names].toSorted())
    const counts = new Map<string, number>()
    for (const { key, value } of outputs.toSorted((a, b) => a.partition - b.partition || a.offset - b.offset)) {
      const count = (counts.get(key) ?? 0) + 1
      counts.set(key, count)
      // In the order of the key's messages, too: the n-th of them is this one.
      const n = (count - 1) * keysEach + Number(key.split('-')[1])
      expect({ key, ...JSON.parse(value) }).toEqual({ key, count, event: `${key.split('-')[0] ?? ''}:${String(n)}` })
    }
    expect(run.faults.filter(({ fault }) => fault === 'killed while state is applied').length).toBe(applyKills)
    expect(run.faults.filter(({ uncommitted }) => uncommitted === 0)).toEqual([])
  }, 300_000)
})
