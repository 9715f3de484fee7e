import { afterEach, beforeEach, expect, it } from 'vitest'
import { systemClock } from '../../../src/core/ports/clock.ts'
import type { TidemarkError } from '../../../src/core/errors.ts'
import { openKafkaJobLog, type KafkaJobLog } from '../../../src/connectors/kafka/log/kafkaJobLog.ts'
import { describeWithServers } from '../../support/realServers.ts'
import { TestLog, until } from './kafkaJob.ts'
import { KafkaWorld, testConfig, uniqueName } from './kafkaWorld.ts'

/** Nothing here waits for a session to end: it would not be in time. */
const sessionTimeoutMs = 60_000
const soonMs = 15_000

/** One process of a job, without its epochs. */
interface Process {
  readonly log: KafkaJobLog
  readonly logger: TestLog
  readonly tasks: Set<number>
  /** Rebalances that it has come to rest for. */
  readonly rested: () => number
  readonly failure: () => TidemarkError | null
}

describeWithServers('a process with a group.instance.id', ['kafka'], (servers) => {
  let world: KafkaWorld
  let name: string
  let input: string
  let open: KafkaJobLog[]

  beforeEach(async () => {
    world = new KafkaWorld(servers.kafka())
    open = []
    name = uniqueName('job')
    input = await world.createTopic(uniqueName('input'), 4)
  })
  afterEach(async () => {
    await Promise.all(open.map((log) => log.leave()))
    await world.close()
  })

  const start = async (instanceId: string | null, options: { readonly slow?: boolean } = {}): Promise<Process> => {
    const config = testConfig(servers.kafka(), { sessionTimeoutMs })
    const logger = new TestLog()
    const log = await openKafkaJobLog(
      config,
      {
        job: name,
        group: 'source',
        groupId: `${name}-group`,
        inputs: [{ kind: 'topics', topics: [input] }],
        outputs: [],
        transactionalIdPrefix: name,
        copartitioned: false,
      },
      {
        clock: systemClock,
        log: logger,
        instanceId: () => Promise.resolve(instanceId),
        process: `process ${String(open.length + 1)}`,
      },
    )
    open.push(log)
    const tasks = new Set<number>()
    let rested = 0
    let failure: TidemarkError | null = null
    void log
      .join({
        assigned: ({ partition }) => tasks.add(partition),
        rebalancing: () => {
          rested += 1
          return options.slow === true ? new Promise(() => undefined) : Promise.resolve()
        },
        revoked: (partition) => {
          tasks.delete(partition)
          return Promise.resolve()
        },
        failed: (error) => {
          failure = error as TidemarkError
        },
      })
      .catch(() => undefined)
    return { log, logger, tasks, rested: () => rested, failure: () => failure }
  }
  const tasksOf = ({ tasks }: Process): readonly number[] => [...tasks].toSorted((a, b) => a - b)
  const joined = ({ logger }: Process) =>
    logger.lines.findLast(({ message }) => message === 'Joined the consumer group')?.fields
  const share = async (...processes: readonly Process[]): Promise<void> => {
    await until(
      'the tasks are shared out',
      () => processes.every(({ tasks }) => tasks.size === 4 / processes.length),
      soonMs,
    )
  }

  it('that comes back within its session has its tasks at once, and the others notice nothing', async () => {
    const one = await start('one')
    await share(one)
    const two = await start('two')
    await share(one, two)
    const had = tasksOf(one)
    const generation = joined(one)?.['generation']
    const rested = two.rested()
    // What a kill does to the group, too: the member is silent, and it does not leave.
    await one.log.leave({ restarting: true })
    const again = await start('one')
    await until('it has its tasks', () => again.tasks.size === 2, soonMs)
    expect(tasksOf(again)).toEqual(had)
    expect(joined(again)?.['generation']).toBe(generation)
    expect(two.rested()).toBe(rested)
    await again.log.leave({ restarting: true })
    const third = await start('one')
    await until('it has them once more', () => third.tasks.size === 2, soonMs)
    expect(two.rested()).toBe(rested)
  })

  it('that leaves gives its tasks to the others at once', async () => {
    const one = await start('one')
    await share(one)
    const two = await start('two')
    await share(one, two)
    await one.log.leave()
    await share(two)
    expect((await world.describeGroup(`${name}-group`)).members).toHaveLength(1)
  })

  it('that leaves while it joins is not in the group afterwards', async () => {
    const slow = await start('slow', { slow: true })
    await share(slow)
    const two = await start('two')
    await until('it joins', async () => (await world.describeGroup(`${name}-group`)).state === 'PreparingRebalance')
    await two.log.leave()
    expect((await world.describeGroup(`${name}-group`)).members).toHaveLength(1)
  })

  it('that a second process takes gives up, names the id and the other, and leaves it alone', async () => {
    const older = await start('same')
    await share(older)
    const younger = await start('same')
    await until('the older one has given up', () => older.failure() !== null, soonMs)
    expect(older.failure()).toMatchObject({
      code: 'instance-taken',
      kind: 'configuration',
      retriable: false,
      message: expect.stringContaining(`Another process (process 2) has joined consumer group ${name}-group as same`),
    })
    await older.log.leave()
    await share(younger)
    expect((await world.describeGroup(`${name}-group`)).members).toHaveLength(1)
    expect(younger.failure()).toBeNull()
  })

  it('that led, and is told after its start that it follows, still sees the input grow', async () => {
    const first = await start('one')
    await share(first)
    expect(joined(first)?.['leader']).toBe(true)
    await first.log.leave({ restarting: true })
    const again = await start('one')
    await share(again)
    expect(joined(again)?.['leader']).toBe(false)
    await world.grow(input, 6)
    await until('the new partitions are dealt out', () => again.tasks.size === 6, soonMs)
    expect(tasksOf(again)).toEqual([0, 1, 2, 3, 4, 5])
  })

  it('that was away while the input grew has the new partitions soon after its start', async () => {
    const first = await start('one')
    await share(first)
    await first.log.leave({ restarting: true })
    await world.grow(input, 6)
    const again = await start('one')
    await until('the new partitions are dealt out', () => again.tasks.size === 6, soonMs)
    expect(tasksOf(again)).toEqual([0, 1, 2, 3, 4, 5])
  })

  it('shares a group with processes that have none', async () => {
    const [named, nameless] = [await start('one'), await start(null)]
    await share(named, nameless)
    expect([...tasksOf(named), ...tasksOf(nameless)].toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3])
    // Nobody could take its place.
    await nameless.log.leave({ restarting: true })
    await share(named)
  })
})
