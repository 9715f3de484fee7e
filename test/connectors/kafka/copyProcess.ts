/**
 * One process of the job that killKafka.long.test.ts kills: copies a topic exactly once until SIGTERM. What it is told comes in
 * the environment; `COMMITTED` on its output tells that an epoch was committed, so that a kill can be timed.
 */
import { fromKafka } from '../../../operators/fromKafka.ts'
import { toKafka } from '../../../operators/toKafka.ts'
import type { Guarantee } from '../../../src/core/ports/outputs.ts'
import { startKafkaJob } from './kafkaJob.ts'
import { testConfig } from './kafkaWorld.ts'

const { BROKERS = '', JOB = '', INPUT = '', RESULTS = '', GUARANTEE = 'exactly-once' } = process.env

const job = startKafkaJob(
  (context) => [
    fromKafka(context, { topic: INPUT, groupId: `${JOB}-group` }).pipe(
      toKafka(context, { topic: RESULTS, guarantee: GUARANTEE as Guarantee }),
    ),
  ],
  {
    name: JOB,
    config: testConfig(BROKERS),
    follow: true,
    intervalMs: 150,
    restart: { strategy: 'fixed-delay', attempts: 1_000, delayMs: 100 },
  },
)
process.on('SIGTERM', () => {
  job.stop()
})
try {
  const { outcome } = await job.finished
  process.stdout.write(`${outcome}\n`)
} catch (error) {
  process.stderr.write(`${String(error)}\n`)
  process.exitCode = 1
}
