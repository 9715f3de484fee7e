import { systemClock, type Clock } from '../../../../src/core/ports/clock.ts'
import type { EarlierRuns } from '../../../../src/core/ports/jobLog.ts'
import { openKafkaJobLog, type KafkaJobLog } from '../../../../src/connectors/kafka/log/kafkaJobLog.ts'
import { silentLogger } from '../../../../src/core/ports/logger.ts'
import { jobLogConformance, type JobLogWorld } from '../../../conformance/jobLog.ts'
import { describeWithServers } from '../../../support/realServers.ts'
import { KafkaWorld, testConfig, uniqueName } from '../kafkaWorld.ts'
import { TopicRenaming } from '../topicRenaming.ts'

const partitions = 4

/** The clock of a process that can stand still: what is due meanwhile comes when it goes on. */
class StoppableClock implements Clock {
  #stoppedUntilMs = -Infinity

  now(): number {
    return systemClock.now()
  }

  monotonicMs(): number {
    return systemClock.monotonicMs()
  }

  after(delayMs: number, callback: () => void): ReturnType<Clock['after']> {
    let timer = systemClock.after(delayMs, () => {
      due()
    })
    const due = (): void => {
      const leftMs = this.#stoppedUntilMs - systemClock.monotonicMs()
      if (leftMs <= 0) callback()
      // At most a step at a time: it may be told to go on before.
      else timer = systemClock.after(Math.min(leftMs, 20), due)
    }
    return {
      cancel: () => {
        timer.cancel()
      },
    }
  }

  soon(callback: () => void): void {
    systemClock.soon(callback)
  }

  stop(ms: number): void {
    this.#stoppedUntilMs = systemClock.monotonicMs() + ms
  }

  goOn(): void {
    this.#stoppedUntilMs = -Infinity
  }
}

describeWithServers('Kafka', ['kafka'], (servers) => {
  jobLogConformance(
    'Kafka',
    async (): Promise<JobLogWorld> => {
      const names = new TopicRenaming()
      const world = new KafkaWorld(servers.kafka())
      const job = uniqueName('job')
      for (const topic of ['orders', 'payments', 'results']) await world.createTopic(names.there(topic), partitions)
      const config = testConfig(servers.kafka(), { heartbeatIntervalMs: 100, rebalanceTimeoutMs: 3_000 })
      const clocks = new Map<string, StoppableClock>()
      const logs: KafkaJobLog[] = []
      const clockOf = (process: string): StoppableClock => {
        const clock = clocks.get(process) ?? new StoppableClock()
        clocks.set(process, clock)
        return clock
      }
      return {
        open: async (process, topics, admit) => {
          const spec = {
            job,
            group: 'source',
            groupId: `${job}-group`,
            inputs: [{ kind: 'topics', topics: topics.map((topic) => names.there(topic)) }],
            outputs: [names.there('results')],
            transactionalIdPrefix: job,
            copartitioned: true,
            ...(admit === undefined ? {} : { admit: (earlier: EarlierRuns) => admit(names.earlier(earlier)) }),
          } as const
          const log = await openKafkaJobLog(config, spec, { clock: clockOf(process), log: silentLogger })
          logs.push(log)
          return names.jobLog(log)
        },
        // No heartbeat any more: nothing else tells the coordinator of a death.
        kill: (process) => {
          clockOf(process).stop(Infinity)
          return Promise.resolve()
        },
        freeze: (process, ms) => {
          clockOf(process).stop(ms)
        },
        pass: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
        close: async () => {
          for (const clock of clocks.values()) clock.goOn()
          await Promise.all([...logs.map((log) => log.leave()), world.close()])
        },
      }
    },
    { processes: true, lastStableOffset: true },
  )
})
