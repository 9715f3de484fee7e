import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { Worker } from '../../support/faults/worker.ts'
import { openToOthers, treeOf } from '../../support/files/tree.ts'
import { describeWithServers } from '../../support/realServers.ts'
import { until } from './kafkaJob.ts'
import { KafkaWorld, uniqueName } from './kafkaWorld.ts'

const partitions = 4
/** Nothing here waits for it: what would, is not in time. */
const sessionTimeoutMs = 60_000
const soonMs = 20_000
/** A process that starts on a busy machine takes seconds for that alone. */
const startMs = 30_000
const inOrder = { code: 0, signal: null }

describeWithServers('processes of a job', ['kafka'], (servers) => {
  let world: KafkaWorld
  let name: string
  let directory: string
  let workers: Worker[]

  beforeEach(async () => {
    world = new KafkaWorld(servers.kafka())
    name = uniqueName('copy')
    directory = mkdtempSync(path.join(tmpdir(), 'tidemark-processes-'))
    workers = []
    for (const topic of ['in', 'out']) await world.createTopic(`${name}-${topic}`, partitions)
  })
  afterEach(async () => {
    for (const worker of workers.filter(({ isAlive }) => isAlive)) worker.kill9()
    await Promise.all(workers.map(({ ended }) => ended))
    rmSync(directory, { recursive: true, force: true })
    await world.close()
  })

  const dataDirectory = (): string => path.join(directory, 'data')
  const start = (settings: Readonly<Record<string, string | number>> = {}, options: readonly string[] = []): Worker => {
    const worker = new Worker({
      job: 'test/support/jobs/copy.ts',
      name: `${name}-${String(workers.length + 1)}`,
      logFile: path.join(directory, 'log'),
      options,
      settings: {
        'job.name': name,
        'kafka.bootstrap.servers': servers.kafka(),
        'kafka.session.timeout.ms': sessionTimeoutMs,
        'data.dir': dataDirectory(),
        'checkpoint.interval.ms': 200,
        'dashboard.port': 0,
        'log.format': 'json',
        ...settings,
      },
    })
    workers.push(worker)
    return worker
  }
  const shared = (...sharing: readonly Worker[]): Promise<void> =>
    until(
      'the tasks are shared out',
      () =>
        sharing.every(({ tasks }) => tasks.length === partitions / sharing.length) &&
        new Set(sharing.flatMap(({ tasks }) => tasks)).size === partitions,
      startMs,
    )
  /** Writes a record to every partition, and resolves when it is copied. */
  const copies = async (value: string, withinMs = soonMs): Promise<void> => {
    for (let partition = 0; partition < partitions; partition += 1)
      await world.appendTexts(`${name}-in`, partition, [value])
    await until(
      `${value} is copied`,
      async () => (await world.readValues(`${name}-out`, partitions)).filter((seen) => seen === value).length === 4,
      withinMs,
    )
  }

  it('that are killed and started again commit again long before the session of the dead would end', async () => {
    const [one, two] = [start(), start()]
    await shared(one, two)
    await copies('before')
    for (const worker of [one, two]) worker.kill9()
    await Promise.all([one.ended, two.ended])
    const successors = [start(), start()]
    await Promise.all(successors.map(({ started }) => started))
    await copies('after')
    for (const worker of successors) expect(worker.isAlive).toBe(true)
  }, 120_000)

  it('that are restarted one by one with --restarting keep their partitions, and the others do not notice', async () => {
    const [one, two] = [start({}, ['--restarting']), start({}, ['--restarting'])]
    await shared(one, two)
    const had = one.tasks
    const joins = two.count('Joined the consumer group')
    expect(await one.terminate()).toEqual(inOrder)
    const again = start({}, ['--restarting'])
    await again.joined
    expect(again.tasks).toEqual(had)
    await copies('after')
    expect(two.count('Joined the consumer group')).toBe(joins)
  }, 120_000)

  it('that are stopped give their partitions to the others at once, and are gone as soon as they have said what they did', async () => {
    const [one, two] = [start(), start()]
    await shared(one, two)
    await copies('before')
    let saidAtMs = Infinity
    const saying = until('it says what it did', () => one.count('Data directory') > 0).then(() => {
      saidAtMs = performance.now()
    })
    expect(await one.terminate()).toEqual(inOrder)
    const endedAtMs = performance.now()
    await saying
    // Seldom more than 100 ms; two timers of the leave would make it 3 s.
    expect(endedAtMs - saidAtMs).toBeLessThan(2_000)
    await copies('after')
    expect(await two.terminate()).toEqual(inOrder)
  }, 120_000)

  it('on two hosts that were given one kafka.group.instance.id: the older one ends, saying so, and is not restarted', async () => {
    const id = { 'kafka.group.instance.id': `${name}-id` }
    const older = start(id)
    await shared(older)
    await copies('before')
    const younger = start({ ...id, 'data.dir': path.join(directory, 'other-host') })
    expect(await older.ended).toEqual({ code: 2, signal: null })
    const rival = `Another process (${hostname()}, process ${String(younger.pid)})`
    expect(older.lastLines).toContain(`${rival} has joined consumer group ${name}-group as ${name}-id-0`)
    expect(older.lastLines).toContain('code: instance-taken')
    await shared(younger)
    await copies('after')
    expect(await younger.terminate()).toEqual(inOrder)
  }, 120_000)

  it('of a directory and its copy are two: they share the partitions', async () => {
    const original = start()
    await shared(original)
    cpSync(dataDirectory(), path.join(directory, 'copy'), { recursive: true })
    const copied = start({ 'data.dir': path.join(directory, 'copy') })
    await shared(original, copied)
    await copies('by both')
    expect(await copied.terminate()).toEqual(inOrder)
    expect(await original.terminate()).toEqual(inOrder)
    // Marked, and for this user alone: slots, their locks and ids.
    const files = Object.keys(treeOf(dataDirectory()))
    expect(files).toEqual(expect.arrayContaining(['tidemark.json', expect.stringMatching(/\/0\/instance\.json$/)]))
    expect(openToOthers(dataDirectory())).toEqual([])
  }, 120_000)

  it('that have no directory to write run nonetheless, and say what that costs', async () => {
    const one = start({ 'data.dir': '/dev/null/nowhere' })
    await shared(one)
    await copies('nonetheless')
    expect(one.count('This process has no directory to be known by')).toBe(1)
    expect(await one.terminate()).toEqual(inOrder)
  }, 120_000)
})
