import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { sleep, systemClock } from '../../../src/core/ports/clock.ts'
import { Worker } from '../../support/faults/worker.ts'
import { linesOf, readLines } from '../../support/lines/linesFollower.ts'
import { describeWithServers } from '../../support/realServers.ts'
import { until } from './kafkaJob.ts'
import { KafkaWorld, uniqueName } from './kafkaWorld.ts'

const partitions = 3
const rounds = 6
const perRound = 300

describeWithServers('a sink that follows the commits in Kafka', ['kafka'], (servers) => {
  let world: KafkaWorld
  let name: string
  let directory: string
  let workers: Worker[]

  beforeEach(async () => {
    world = new KafkaWorld(servers.kafka())
    name = uniqueName('lines')
    directory = mkdtempSync(path.join(tmpdir(), 'tidemark-lines-'))
    workers = []
    await world.createTopic(`${name}-in`, partitions)
  })
  afterEach(async () => {
    for (const worker of workers.filter(({ isAlive }) => isAlive)) worker.kill9()
    await Promise.all(workers.map(({ ended }) => ended))
    rmSync(directory, { recursive: true, force: true })
    await world.close()
  })

  const start = (): Worker => {
    const number = String(workers.length + 1)
    const worker = new Worker({
      job: 'test/support/jobs/lines.ts',
      name: `${name}-${number}`,
      logFile: path.join(directory, 'log'),
      settings: {
        'job.name': name,
        'lines.directory': path.join(directory, 'lines'),
        'kafka.bootstrap.servers': servers.kafka(),
        'kafka.session.timeout.ms': 6_000,
        'data.dir': path.join(directory, 'data'),
        'checkpoint.interval.ms': 100,
        'dashboard.port': 0,
        'log.format': 'json',
      },
    })
    workers.push(worker)
    return worker
  }
  const written = (partition: number): readonly string[] =>
    readLines(linesOf(path.join(directory, 'lines'), { job: name, group: 'source', partition, sink: 'lines' })).lines

  it('has every row once and in order, whichever processes are killed, and wherever the partitions go', async () => {
    let count = 0
    const append = async (): Promise<void> => {
      const texts = Array.from({ length: perRound }, (_, n) => String(count + n))
      count += perRound
      for (let partition = 0; partition < partitions; partition += 1)
        await world.appendTexts(`${name}-in`, partition, texts)
    }
    let running = [start(), start()]
    for (let round = 0; round < rounds; round += 1) {
      await Promise.all(running.map(({ joined }) => joined))
      for (let part = 0; part < 3; part += 1) {
        await append()
        await sleep(systemClock, 50 + Math.random() * 200)
      }
      // One of them, or both.
      const killed = running.slice(round % 2)
      for (const worker of killed) worker.kill9()
      await Promise.all(killed.map(({ ended }) => ended))
      running = [...running.filter(({ isAlive }) => isAlive), ...killed.map(() => start())]
    }
    await Promise.all(running.map(({ joined }) => joined))
    await until(
      'all rows are written',
      () => Array.from({ length: partitions }, (_, partition) => written(partition).length).every((n) => n >= count),
      60_000,
    )
    for (const worker of running) expect(await worker.terminate()).toEqual({ code: 0, signal: null })
    const all = Array.from({ length: count }, (_, n) => String(n))
    for (let partition = 0; partition < partitions; partition += 1) expect(written(partition)).toEqual(all)
  }, 240_000)
})
