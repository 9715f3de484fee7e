import { afterEach, beforeEach } from 'vitest'
import type { OperatorContext } from '../../../src/core/context.ts'
import type { Pipelines } from '../../../src/runtime/plan/defineJob.ts'
import type { RunningJob } from '../../../src/runtime/job/startJob.ts'
import type { RealServers } from '../../support/realServers.ts'
import { startKafkaJob, type KafkaJobOptions } from './kafkaJob.ts'
import { KafkaWorld, testConfig, uniqueName } from './kafkaWorld.ts'

/** The jobs of a suite on the shared Kafka. */
export interface KafkaJobs {
  /** Of the test that runs, as is the name. */
  readonly world: KafkaWorld
  readonly name: string
  /** In the order in which they were started. */
  readonly running: readonly RunningJob[]
  /** Under the test's name, with short times, unless the options say otherwise. */
  start(pipeline: (context: OperatorContext) => Pipelines, options?: Partial<KafkaJobOptions>): RunningJob
  stopAll(): Promise<void>
}

/** Gives each test of a suite a connection and a name of its own, and stops what the test has started. */
export function kafkaJobs(servers: RealServers): KafkaJobs {
  let world: KafkaWorld | null = null
  let name = ''
  let running: RunningJob[] = []
  const stopAll = async (): Promise<void> => {
    for (const job of running) job.stop()
    await Promise.allSettled(running.map(({ finished }) => finished))
    running = []
  }
  beforeEach(() => {
    world = new KafkaWorld(servers.kafka())
    name = uniqueName('job')
  })
  afterEach(async () => {
    await stopAll()
    await world?.close()
  })
  return {
    get world() {
      if (world === null) throw new Error('Ask for it inside a test or a hook')
      return world
    },
    get name() {
      return name
    },
    get running() {
      return running
    },
    start(pipeline, options = {}) {
      const job = startKafkaJob(pipeline, { name, config: testConfig(servers.kafka()), ...options })
      // Whoever looks at it is told.
      job.finished.catch(() => undefined)
      running.push(job)
      return job
    },
    stopAll,
  }
}
