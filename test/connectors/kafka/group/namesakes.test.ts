import { beforeEach, expect, it } from 'vitest'
import { map } from 'rxjs'
import { fromKafka } from '../../../../operators/fromKafka.ts'
import { toKafkaTransactional } from '../../../../operators/toKafka.ts'
import type { PipelineContext } from '../../../../src/core/context.ts'
import type { RunningJob } from '../../../../src/runtime/job/startJob.ts'
import { checkNoNamesake, findNamesakes } from '../../../../src/connectors/kafka/group/namesakes.ts'
import { silentLogger } from '../../../../src/core/ports/logger.ts'
import { describeWithServers } from '../../../support/realServers.ts'
import { root } from '../../../cli/cliProcess.ts'
import { testCli } from '../../../cli/testCli.ts'
import { TestLog, until } from '../kafkaJob.ts'
import { kafkaJobs } from '../kafkaJobs.ts'
import { type KafkaWorld, uniqueName } from '../kafkaWorld.ts'

describeWithServers('a name that another deployment lives under', ['kafka'], (servers) => {
  const jobs = kafkaJobs(servers)
  let world: KafkaWorld
  let name: string

  beforeEach(() => {
    world = jobs.world
    name = jobs.name
  })

  interface Deployment {
    readonly name?: string
    readonly input: string
    readonly output: string
    readonly groupId: string
    readonly prefix?: string
  }

  const topic = (): Promise<string> => world.createTopic(uniqueName('t'), 2)

  function start({ name: own = name, input, output, groupId, prefix }: Deployment, logger = new TestLog()): RunningJob {
    const pipeline = (context: PipelineContext) => [
      fromKafka(context, { topic: input, groupId }).pipe(
        map((record) => record.withValue(record.value)),
        toKafkaTransactional(context, {
          topic: output,
          ...(prefix === undefined ? {} : { transactionalIdPrefix: prefix }),
        }),
      ),
    ]
    return jobs.start(pipeline, { name: own, follow: true, logger })
  }

  async function startFirst(more: Partial<Deployment> = {}): Promise<Deployment> {
    const first = { input: await topic(), output: await topic(), groupId: `${name}-first`, ...more }
    start(first)
    await world.appendTexts(first.input, 0, ['x'])
    await until('the first one commits', async () => (await world.readValues(first.output, 2)).length === 1)
    return first
  }

  it('is refused before any fence or write: group, hosts and both remedies are named, and the other one goes on', async () => {
    const first = await startFirst()
    const changelog = `${name}-source-changelog`
    const id = await world.transactionalProducer(`${name}-source-0`)
    const end = await world.highWatermark(changelog, 0)
    const second = start({ input: await topic(), output: await topic(), groupId: `${name}-second` })
    await expect(second.finished).rejects.toMatchObject({
      code: 'job-name-in-use',
      message: expect.stringMatching(
        new RegExp(`'${name}'.*consumer group ${name}-first, on [0-9a-f.:]+\\..*${name}-second.*--job\\.name=.*stop`),
      ),
    })
    expect(await world.transactionalProducer(`${name}-source-0`)).toEqual(id)
    expect(await world.highWatermark(changelog, 0)).toBe(end)
    await world.appendTexts(first.input, 0, ['y'])
    await until('it goes on', async () => (await world.readValues(first.output, 2)).length === 2)
  })

  it('is told by the doctor', async () => {
    await startFirst()
    const options = { directory: root, environment: { KAFKA_BOOTSTRAP_SERVERS: servers.kafka() } }
    const { out } = await testCli(options, 'doctor', 'jobs/uppercase.ts', `--job.name=${name}`)
    expect(out).toContain(`Job ${name} (job uppercase of jobs/uppercase.ts)`)
    expect(out).toMatch(new RegExp(`^fail  Consumer group ${name}-first works as job ${name}, on `, 'm'))
  })

  it('is refused where it is another name with the same transactional ids', async () => {
    await startFirst({ prefix: `${name}-tx` })
    const other = { name: `${name}-2`, input: await topic(), output: await topic(), groupId: `${name}-second` }
    await expect(start({ ...other, prefix: `${name}-tx` }).finished).rejects.toMatchObject({
      code: 'job-name-in-use',
      message: expect.stringContaining(`${name}-tx-…`),
    })
  })

  it('is free beside another name, and for more processes of the same group', async () => {
    const first = await startFirst()
    const other = { name: `${name}-2`, input: await topic(), output: await topic(), groupId: `${name}-second` }
    const logs = [new TestLog(), new TestLog()] as const
    start(other, logs[0])
    start(first, logs[1])
    const joined = (log: TestLog): boolean =>
      log.lines.some(({ message, fields }) => message === 'Joined the consumer group' && fields['tasks'] !== '')
    await until('both have tasks', () => logs.every(joined))
    expect(logs.flatMap(({ lines }) => lines.filter(({ level }) => level === 'error'))).toEqual([])
  })

  it('is found while the other group rebalances, and not any more when it has left', async () => {
    const first = await startFirst()
    start(first)
    const spec = { job: name, group: 'source', groupId: `${name}-second`, transactionalIdPrefix: name }
    await world.cluster.metadata([])
    expect(await findNamesakes(world.cluster, spec, silentLogger)).toEqual([
      { groupId: `${name}-first`, job: name, hosts: [expect.any(String)] },
    ])
    await jobs.stopAll()
    await expect(checkNoNamesake(world.cluster, spec, silentLogger)).resolves.toBeUndefined()
  })

  it('may be taken where groups may not be listed: recovery is the second line', async () => {
    const refusing = {
      nodeIds: [1],
      pool: { broker: () => Promise.reject(new Error('no access')) },
      clock: world.cluster.clock,
    }
    const spec = { job: name, group: 'source', groupId: `${name}-second`, transactionalIdPrefix: name }
    expect(await findNamesakes(refusing as unknown as KafkaWorld['cluster'], spec, silentLogger)).toEqual([])
  })
})
