import { fc, test } from '@fast-check/vitest'
import { map } from 'rxjs'
import { expect } from 'vitest'
import { asyncLookup } from '../../operators/asyncLookup.ts'
import { fromKafka } from '../../operators/fromKafka.ts'
import { sideOutput } from '../../operators/sideOutput.ts'
import { toKafkaTransactional } from '../../operators/toKafka.ts'
import type { DeadLetter } from '../../src/core/deadLetter.ts'
import { TidemarkError } from '../../src/core/errors.ts'
import type { Figure } from '../../src/core/figures.ts'
import { Port, type Resource } from '../../src/core/ports/port.ts'
import { LagSampler } from '../../src/dashboard/lagSampler.ts'
import { metricsRegistry } from '../../src/dashboard/metricsRegistry.ts'
import type { JobMetrics } from '../../src/runtime/metrics/jobMetrics.ts'
import { MemoryJob, type MemoryJobOptions, type TestPipeline } from '../support/memoryJob.ts'
import { parseScrape, type Scrape } from './scrape.ts'

async function scrape(metrics: JobMetrics, { clock }: MemoryJob): Promise<Scrape> {
  const lag = new LagSampler(metrics, clock)
  await lag.refresh()
  const registry = metricsRegistry(metrics, lag, 'test')
  return parseScrape(await registry.metrics())
}

async function scrapeAfter(job: MemoryJob, pipeline: TestPipeline, options: MemoryJobOptions = {}): Promise<Scrape> {
  const running = job.start(pipeline, options)
  await job.clock.runUntil(running.finished)
  return scrape(running.metrics, job)
}

/** Looks every record up; refuses every third one. */
const lookingUp: TestPipeline = (context) => {
  const dead = sideOutput<DeadLetter>(context, 'dead')
  return [
    fromKafka(context, { topic: 'in', groupId: 'g' }).pipe(
      asyncLookup(context, {
        name: 'rows',
        onError: dead,
        wait: 'ordered',
        capacity: 2,
        timeoutMs: 1000,
        lookup: (value) =>
          new Promise<Buffer | null>((resolve, reject) => {
            context.clock.after(15, () => {
              if (Number(String(value)) % 3 === 0) reject(new TidemarkError('invalid-value', 'no'))
              else resolve(value)
            })
          }),
      }),
      map((record) => record.withValue(record.value.row)),
      toKafkaTransactional(context, { topic: 'out' }),
    ),
    dead.records$.pipe(toKafkaTransactional(context, { topic: 'dlq', name: 'dead-letter-topic' })),
  ]
}

test('a run shows under its steps, codes and phases, in a text that Prometheus takes', async () => {
  const job = new MemoryJob()
  job.write('in', ['1', '2', '3', '4', '5', '6', '7'])
  const scraped = await scrapeAfter(job, lookingUp)
  const { types, value } = scraped
  expect(value('tidemark_info', { job: 'test', world: 'test' })).toBe(1)
  expect(types.get('checkpoint_commits')).toBe('counter')
  expect(value('checkpoint_commits')).toBe(1)
  expect(types.get('checkpoint_latency')).toBe('histogram')
  expect(value('checkpoint_latency_count')).toBe(1)
  expect(value('tidemark_epochs_committed_total', { cut: 'end' })).toBe(1)
  expect(value('tidemark_source_records_total', { step: 'kafka-source' })).toBe(7)
  expect(value('tidemark_sink_records_total', { step: 'toKafkaTransactional' })).toBe(5)
  expect(value('tidemark_sink_records_total', { step: 'dead-letter-topic' })).toBe(2)
  expect(value('tidemark_dead_letters_total', { code: 'invalid-value' })).toBe(2)
  expect(value('tidemark_lookup_hits_total', { step: 'rows' })).toBe(5)
  expect(value('tidemark_lookup_errors_total', { step: 'rows', code: 'invalid-value' })).toBe(2)
  expect(value('tidemark_lookup_in_flight', { step: 'rows' })).toBe(0)
  expect(value('tidemark_gate_closed_seconds_total')).toBeGreaterThan(0)
  expect(value('tidemark_tasks', { state: 'ended' })).toBe(1)
  expect(value('process_resident_memory_bytes')).toBeGreaterThan(1e6)
})

test('latencies are buckets in seconds that add up to the sum and the count', async () => {
  const job = new MemoryJob()
  job.write('in', ['1', '2', '4', '5'])
  const { types, samples, value } = await scrapeAfter(job, lookingUp)
  expect(types.get('tidemark_lookup_request_seconds')).toBe('histogram')
  expect(value('tidemark_lookup_request_seconds_bucket', { step: 'rows', le: '0.01' })).toBe(0)
  expect(value('tidemark_lookup_request_seconds_bucket', { step: 'rows', le: '0.02' })).toBe(4)
  expect(value('tidemark_lookup_request_seconds_bucket', { step: 'rows', le: '+Inf' })).toBe(4)
  expect(value('tidemark_lookup_request_seconds_count', { step: 'rows' })).toBe(4)
  expect(value('tidemark_lookup_request_seconds_sum', { step: 'rows' })).toBeCloseTo(0.06)
  const phases = samples.filter(({ name }) => name === 'tidemark_epoch_phase_seconds_count')
  expect(phases.map(({ labels }) => labels['phase'])).toEqual(['emit', 'drain', 'commit', 'apply'])
})

test('the lag is known for each partition while the job runs', async () => {
  const job = new MemoryJob()
  job.log.ensureTopic('in', { partitions: 2 })
  job.write('in', ['a', 'b', 'c'], 1)
  const running = job.start((context) => fromKafka(context, { topic: 'in', groupId: 'g' }), { follow: true })
  await job.clock.advance(500)
  const early = await scrape(running.metrics, job)
  expect(early.value('tidemark_lag_records', { topic: 'in', partition: '0' })).toBe(0)
  expect(early.value('tidemark_lag_records', { topic: 'in', partition: '1' })).toBe(3)
  await job.clock.advance(1000)
  const later = await scrape(running.metrics, job)
  expect(later.value('tidemark_lag_records', { topic: 'in', partition: '1' })).toBe(0)
  running.stop()
  await job.clock.runUntil(running.finished)
})

test('the numbers of a client show under its port', async () => {
  const job = new MemoryJob()
  job.write('in', ['a'])
  const figures: Figure[] = [
    { name: 'statement_cache_hits', meaning: 'Statements found prepared.', kind: 'counter', value: 41 },
    { name: 'statement_cache_size', meaning: 'Statements kept.', kind: 'gauge', value: 3 },
  ]
  const client: Resource = {
    connect: () => Promise.resolve(),
    close: () => Promise.resolve(),
    figures: () => figures,
  }
  const port = new Port<Resource>('rows')
  const { value, types } = await scrapeAfter(
    job,
    (context) => {
      context.open(port)
      return fromKafka(context, { topic: 'in', groupId: 'g' })
    },
    { resources: new Map([[port, client]]) },
  )
  expect(value('tidemark_client_statement_cache_hits_total', { client: 'rows' })).toBe(41)
  expect(types.get('tidemark_client_statement_cache_size')).toBe('gauge')
  expect(value('tidemark_client_statement_cache_size', { client: 'rows' })).toBe(3)
})

test('a restarted failure shows by its code', async () => {
  const job = new MemoryJob()
  job.write('in', ['a'])
  let failures = 0
  const { value } = await scrapeAfter(
    job,
    (context) =>
      fromKafka(context, { topic: 'in', groupId: 'g' }).pipe(
        map((record) => {
          if (failures > 0) return record
          failures += 1
          throw new Error('once')
        }),
      ),
    { restart: { strategy: 'fixed-delay', attempts: 1, delayMs: 10 } },
  )
  expect(value('tidemark_epochs_aborted_total', { code: 'pipeline-failed' })).toBe(1)
  expect(value('tidemark_restarts_total', { code: 'pipeline-failed' })).toBe(1)
})

test.prop([fc.string({ minLength: 1, maxLength: 200 }), fc.string({ minLength: 1, unit: 'binary' })], { numRuns: 40 })(
  'a step may have any name, and what stands in messages is no label',
  async (step, value) => {
    fc.pre(step.trim() !== '')
    const job = new MemoryJob()
    job.write('in', [value])
    const scraped = await scrapeAfter(job, (context) =>
      fromKafka(context, { topic: 'in', groupId: 'g', name: `source ${step}` }).pipe(
        map((record) => {
          context.tally('messages', [`keyspace.${String(record.raw)}`, value])
          return record
        }),
      ),
    )
    const source = scraped.samples.find(({ name }) => name === 'tidemark_source_records_total')
    const shown = source?.labels['step'] ?? ''
    expect(shown.length).toBeLessThanOrEqual(100)
    expect(`source ${step}`.startsWith(shown.replace(/…$/, ''))).toBe(true)
    const texts = scraped.samples.flatMap(({ labels }) => Object.values(labels))
    expect(texts.filter((text) => text.includes('keyspace.'))).toEqual([])
    expect(scraped.value('tidemark_tallies_total', { name: 'messages' })).toBe(1)
  },
)

test('ten thousand tables, tallies and topics in messages make no ten thousand series', async () => {
  const job = new MemoryJob()
  const names = Array.from({ length: 10_000 }, (_, index) => `table_${String(index)}`)
  job.write('in', names)
  const { samples, value } = await scrapeAfter(job, (context) =>
    fromKafka(context, { topic: 'in', groupId: 'g' }).pipe(
      map((record) => {
        const table = String(record.raw)
        context.tally(`rows of ${table}`)
        context.tally('dead-letters', [table])
        return record.withValue(table)
      }),
      toKafkaTransactional(context, { topic: (record) => record.value }),
    ),
  )
  expect(samples.length).toBeLessThan(400)
  expect(value('tidemark_tallies_total', { name: 'other' })).toBe(9_900)
  expect(value('tidemark_dead_letters_total', { code: 'other' })).toBe(10_000)
  expect(value('tidemark_sink_records_total', { step: 'toKafkaTransactional' })).toBe(10_000)
})
