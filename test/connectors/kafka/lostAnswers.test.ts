import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest'
import type { KafkaTaskLog } from '../../../src/connectors/kafka/log/kafkaTaskLog.ts'
import { freePorts } from '../../servers/freePorts.ts'
import { startKafka, type RunningKafka } from '../../servers/kafkaServer.ts'
import { commitMetadata } from '../../support/commitMetadata.ts'
import { api, KafkaFaultProxy, type SeenRequest } from '../../support/faults/framedProxy.ts'
import { describeWithServers } from '../../support/realServers.ts'
import { KafkaWorld, TestOwner, output, testConfig, uniqueName } from './kafkaWorld.ts'
import { at } from '../../support/positions.ts'
import { offsetOf } from '../../../src/core/offsetPosition.ts'

const metadata = commitMetadata({ epoch: 1 })

describeWithServers('a broker whose answers get lost', ['java'], () => {
  let kafka: RunningKafka
  let proxy: KafkaFaultProxy
  let world: KafkaWorld
  let owner: TestOwner
  let job: string
  let input: string
  let results: string

  beforeAll(async () => {
    const [port = 0] = await freePorts(1)
    proxy = await KafkaFaultProxy.start(port)
    kafka = await startKafka({
      port,
      properties: { 'advertised.listeners': `PLAINTEXT://127.0.0.1:${String(proxy.port)}` },
    })
  }, 300_000)
  afterAll(async () => {
    await proxy.close()
    await kafka.kill9()
  })
  beforeEach(async () => {
    proxy.letAllPass()
    const through = `127.0.0.1:${String(proxy.port)}`
    world = new KafkaWorld(through)
    owner = new TestOwner(testConfig(through, { requestTimeoutMs: 1_500 }))
    job = uniqueName('job')
    input = await world.createTopic(uniqueName('input'), 1)
    results = await world.createTopic(uniqueName('results'), 1)
  })
  afterEach(async () => {
    proxy.letAllPass()
    await Promise.all([owner.close(), world.close()])
  })

  const newLog = (): Promise<KafkaTaskLog> => owner.taskLog({ job, topics: [input], partition: 0 })

  /** Sends one record and commits position 1, then recovers; what the log and the readers then say. */
  const attempt = async (): Promise<{
    error: unknown
    lost: boolean
    committed: number | undefined
    seen: readonly string[]
  }> => {
    const log = await newLog()
    await log.commitLog.fence()
    const transaction = log.commitLog.begin()
    transaction.send(output(results, 'first'), 'exactly-once')
    let error: unknown = null
    try {
      await transaction.prepare([])
      await transaction.commit(at({ [input]: 1 }), metadata)
    } catch (thrown) {
      error = thrown
      await transaction.abort()
    }
    const { lost } = log.commitLog
    proxy.letAllPass()
    await log.commitLog.fence()
    const committed = (await log.commitLog.committed()).get(input)?.position
    const seen = await world.readValues(results, 1)
    // It can be used again, and nothing of the old attempt comes back.
    const next = log.commitLog.begin()
    next.send(output(results, 'second'), 'exactly-once')
    await next.prepare([])
    await next.commit(at({ [input]: 2 }), { ...metadata, epoch: 2 })
    expect(await world.readValues(results, 1)).toEqual([...seen, 'second'])
    return { error, lost, committed: committed === undefined ? undefined : offsetOf(committed), seen }
  }

  const lostCommit = { code: 'commit-failed', retriable: true }

  it.each(['drop', 'cut'] as const)(
    'a commit that happened, its answer lost (%s): recovery finds it committed, once',
    async (fate) => {
      proxy.onAnswer = only(api.endTxn, fate)
      expect(await attempt()).toEqual({
        error: expect.objectContaining(lostCommit),
        lost: true,
        committed: 1,
        seen: ['first'],
      })
    },
  )

  it.each(['drop', 'cut'] as const)(
    'a commit that never reached the broker (%s): recovery finds nothing committed',
    async (fate) => {
      proxy.onRequest = only(api.endTxn, fate)
      expect(await attempt()).toEqual({
        error: expect.objectContaining(lostCommit),
        lost: true,
        committed: undefined,
        seen: [],
      })
    },
  )

  it.each(['drop', 'cut'] as const)(
    'a send that was stored, its answer lost (%s): it is not sent again, and nothing is doubled',
    async (fate) => {
      let sends = 0
      proxy.onRequest = ({ apiKey }) => {
        if (apiKey === api.produce) sends += 1
        return 'pass'
      }
      proxy.onAnswer = only(api.produce, fate)
      const outcome = await attempt()
      expect(outcome).toEqual({
        error: expect.objectContaining(lostCommit),
        lost: true,
        committed: undefined,
        seen: [],
      })
      expect(sends).toBe(1)
    },
  )

  it('offsets whose answer is lost: nothing is committed', async () => {
    proxy.onAnswer = only(api.txnOffsetCommit, 'cut')
    expect(await attempt()).toEqual({
      error: expect.objectContaining(lostCommit),
      lost: true,
      committed: undefined,
      seen: [],
    })
  })

  it('a commit given up while it is under way does not commit the next owner of the outcome twice', async () => {
    const log = await newLog()
    await log.commitLog.fence()
    const transaction = log.commitLog.begin()
    transaction.send(output(results, 'first'), 'exactly-once')
    await transaction.prepare([])
    proxy.onAnswer = only(api.endTxn, 'drop')
    const commit = transaction.commit(at({ [input]: 1 }), metadata)
    const refused = commit.catch((error: unknown) => error)
    await new Promise((resolve) => setTimeout(resolve, 200))
    await transaction.abort()
    expect(await refused).toMatchObject(lostCommit)
    expect(log.commitLog.lost).toBe(true)
    proxy.onAnswer = () => 'pass'
    await log.commitLog.fence()
    expect((await log.commitLog.committed()).get(input)?.position).toBe(1)
    expect(await world.readValues(results, 1)).toEqual(['first'])
  })

  it('sends outside of the transaction are repeated until they are answered: nothing is lost, something may be doubled', async () => {
    const log = await newLog()
    await log.commitLog.fence()
    const transaction = log.commitLog.begin()
    transaction.send(output(results, 'at least once'), 'at-least-once')
    proxy.onAnswer = only(api.produce, 'cut', 1)
    await transaction.prepare([])
    await transaction.commit(at({ [input]: 1 }), metadata)
    expect(await world.readValues(results, 1)).toEqual(['at least once', 'at least once'])
  })
})

/** Lets everything pass but one kind of request, for the first `times` of it. */
function only(
  apiKey: number,
  fate: 'drop' | 'cut',
  times = Infinity,
): (request: SeenRequest) => 'pass' | 'drop' | 'cut' {
  let left = times
  return (request) => {
    if (request.apiKey !== apiKey || left <= 0) return 'pass'
    left -= 1
    return fate
  }
}
