import { spawn, type ChildProcess } from 'node:child_process'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { runKafkaTool } from '../../servers/kafkaTool.ts'
import type { Guarantee } from '../../../src/core/ports/outputs.ts'
import { describeWithServers } from '../../support/realServers.ts'
import { until } from './kafkaJob.ts'
import { KafkaWorld, uniqueName } from './kafkaWorld.ts'

const partitions = 4

/** The processes of a job, which are killed and started again. */
class Herd {
  readonly #environment: NodeJS.ProcessEnv
  readonly #processes = new Set<ChildProcess>()
  readonly failures: string[] = []

  constructor(environment: NodeJS.ProcessEnv) {
    this.#environment = environment
  }

  get size(): number {
    return this.#processes.size
  }

  start(): void {
    const child = spawn(process.execPath, [new URL('copyProcess.ts', import.meta.url).pathname], {
      env: { ...process.env, ...this.#environment },
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    this.#processes.add(child)
    child.stderr.on('data', (data: Buffer) => {
      if (!data.toString().includes('Warning')) this.failures.push(data.toString())
    })
    child.once('exit', () => {
      this.#processes.delete(child)
    })
  }

  any(): ChildProcess | undefined {
    const running = [...this.#processes]
    return running[Math.floor(Math.random() * running.length)]
  }

  signal(signal: NodeJS.Signals): void {
    for (const child of this.#processes) child.kill(signal)
  }

  async end(): Promise<void> {
    this.signal('SIGTERM')
    const late = setTimeout(() => {
      this.signal('SIGKILL')
    }, 15_000)
    await until('all processes have ended', () => this.size === 0)
    clearTimeout(late)
  }
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

describeWithServers('kill -9', ['kafka', 'java'], (servers) => {
  let world: KafkaWorld
  let job: string
  let input: string
  let results: string
  let herd: Herd

  beforeEach(async () => {
    world = new KafkaWorld(servers.kafka())
    job = uniqueName('job')
    input = await world.createTopic(uniqueName('input'), partitions)
    results = await world.createTopic(uniqueName('results'), partitions)
  })
  afterEach(async () => {
    herd.signal('SIGKILL')
    await world.close()
  })

  const newHerd = (guarantee: Guarantee): Herd =>
    new Herd({ BROKERS: servers.kafka(), JOB: job, INPUT: input, RESULTS: results, GUARANTEE: guarantee })
  const values = (from: number, count: number): readonly string[] =>
    Array.from({ length: count }, (_, n) => `v${String(from + n)}`)
  const counts = (seen: readonly string[]): { readonly distinct: number; readonly doubled: number } => {
    const distinct = new Set(seen).size
    return { distinct, doubled: seen.length - distinct }
  }

  it('at random moments, and a process frozen until another had its tasks: 20,000 records, none lost, none doubled, at any time', async () => {
    const total = 20_000
    const rounds = 8
    herd = newHerd('exactly-once')
    for (let n = 0; n < 3; n += 1) herd.start()
    let written = 0
    let writing = true
    const writer = (async () => {
      while (written < total) {
        await world.appendTexts(input, (written / 100) % partitions, values(written, 100))
        written += 100
        await pause((rounds * 2_800) / (total / 100))
      }
      writing = false
    })()
    // A reader that looks on DURING the faults never sees anything twice.
    const looking = (async () => {
      let worst = 0
      while (writing) {
        worst = Math.max(worst, counts(await world.readValues(results, partitions)).doubled)
        await pause(200)
      }
      return worst
    })()
    let kills = 0
    for (let round = 0; round < rounds; round += 1) {
      await pause(500 + Math.random() * 1_500)
      const victim = herd.any()
      if (round % 4 === 3) {
        victim?.kill('SIGSTOP')
        await pause(8_000)
        victim?.kill('SIGCONT')
      } else {
        if (victim?.kill('SIGKILL') === true) kills += 1
        await pause(Math.random() * 500)
        herd.start()
      }
    }
    await writer
    expect(kills).toBeGreaterThanOrEqual(5)
    await until(
      'everything is copied',
      async () => counts(await world.readValues(results, partitions)).distinct >= total,
      60_000,
    )
    expect(await looking).toBe(0)
    expect(counts(await world.readValues(results, partitions))).toEqual({ distinct: total, doubled: 0 })
    expect(herd.failures).toEqual([])

    // Kafka's own consumer owes nothing to us.
    const consumed = await runKafkaTool('org.apache.kafka.tools.consumer.ConsoleConsumer', [
      '--bootstrap-server',
      servers.kafka(),
      '--topic',
      results,
      '--isolation-level',
      'read_committed',
      '--from-beginning',
      '--max-messages',
      String(total + 1),
      '--timeout-ms',
      '5000',
    ])
    const lines = consumed.split('\n').filter((line) => /^v\d+$/.test(line))
    expect(counts(lines)).toEqual({ distinct: total, doubled: 0 })
    await herd.end()
    expect(await world.groupOffsets(`${job}-group`, input)).toEqual([5_000, 5_000, 5_000, 5_000])
  }, 180_000)

  it('with an at-least-once sink: nothing is lost', async () => {
    herd = newHerd('at-least-once')
    herd.start()
    for (let n = 0; n < 4; n += 1) {
      await world.appendTexts(input, n % partitions, values(n * 500, 500))
      await pause(1_000 + Math.random() * 300)
      herd.any()?.kill('SIGKILL')
      herd.start()
    }
    await until(
      'everything is copied',
      async () => counts(await world.readValues(results, partitions)).distinct >= 2_000,
      60_000,
    )
    await herd.end()
    expect(counts(await world.readValues(results, partitions)).distinct).toBe(2_000)
  }, 120_000)

  it('with a sink without guarantee: what arrives was sent, and the offsets go on', async () => {
    herd = newHerd('none')
    herd.start()
    await world.appendTexts(input, 0, values(0, 500))
    await pause(1_500)
    herd.any()?.kill('SIGKILL')
    herd.start()
    await world.appendTexts(input, 0, values(500, 500))
    await until('all is read', async () => (await world.groupOffsets(`${job}-group`, input))[0] === 1_000, 60_000)
    await herd.end()
    const seen = await world.readValues(results, partitions)
    expect(seen.every((value) => /^v\d+$/.test(value))).toBe(true)
    expect(new Set(seen).has('v999')).toBe(true)
  }, 120_000)
})
