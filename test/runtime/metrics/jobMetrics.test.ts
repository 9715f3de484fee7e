import { filter, map, merge, tap } from 'rxjs'
import { expect, test } from 'vitest'
import { asyncLookup } from '../../../operators/asyncLookup.ts'
import { decodeJson } from '../../../operators/decodeJson.ts'
import { fromKafka } from '../../../operators/fromKafka.ts'
import { sideOutput } from '../../../operators/sideOutput.ts'
import { toKafkaTransactional } from '../../../operators/toKafka.ts'
import * as t from 'io-ts'
import type { DeadLetter } from '../../../src/core/deadLetter.ts'
import type { Durations } from '../../../src/core/figures.ts'
import { failure, MemoryJob, type TestPipeline } from '../../support/memoryJob.ts'

const copy: TestPipeline = (context) =>
  fromKafka(context, { topic: 'in', groupId: 'g' }).pipe(toKafkaTransactional(context, { topic: 'out' }))

function texts(count: number): string[] {
  return Array.from({ length: count }, (_, index) => String(index))
}

test('records are counted by source and sink, and dead letters by code', async () => {
  const job = new MemoryJob()
  job.write('left', ['1', 'not json', '3'])
  job.write('right', ['4'])
  const running = job.start((context) => {
    const dead = sideOutput<DeadLetter>(context, 'dead')
    const left$ = fromKafka(context, { topic: 'left', groupId: 'g', name: 'left-source' })
    const right$ = fromKafka(context, { topic: /^right$/, groupId: 'g', name: 'right-source' })
    return [
      merge(left$, right$).pipe(
        decodeJson(context, t.number, { onError: dead }),
        map((record) => record.withValue(String(record.value))),
        toKafkaTransactional(context, { topic: 'out' }),
      ),
      dead.records$.pipe(toKafkaTransactional(context, { topic: 'dlq', name: 'dead-letter-topic' })),
    ]
  })
  await job.clock.runUntil(running.finished)
  const { metrics } = running
  expect(metrics.sources.entries()).toEqual([
    ['left-source', 3],
    ['right-source', 1],
  ])
  expect(metrics.sinks.entries()).toEqual([
    ['toKafkaTransactional', 3],
    ['dead-letter-topic', 1],
  ])
  expect(metrics.deadLetters.entries()).toEqual([['malformed-json', 1]])
  expect(metrics.recordsCommitted).toBe(4)
  expect(metrics.phase).toBe('ended')
  expect(metrics.tasks.map(({ state }) => state)).toEqual(['ended'])
})

test('what an aborted epoch sent is not counted as sent, and what it read is counted as read', async () => {
  const job = new MemoryJob()
  job.write('in', texts(10))
  let failures = 0
  const running = job.start(
    (context) =>
      fromKafka(context, { topic: 'in', groupId: 'g' }).pipe(
        tap((record) => {
          if (record.offset !== 5 || failures > 0) return
          failures += 1
          throw new Error('once')
        }),
        toKafkaTransactional(context, { topic: 'out' }),
      ),
    { restart: { strategy: 'fixed-delay', attempts: 3, delayMs: 1000 } },
  )
  await job.clock.runUntil(running.finished)
  const { metrics } = running
  expect(metrics.sinks.entries()).toEqual([['toKafkaTransactional', 10]])
  expect(metrics.recordsRead).toBe(16)
  expect(metrics.aborted.entries()).toEqual([['pipeline-failed', 1]])
  expect(metrics.restarts.entries()).toEqual([['pipeline-failed', 1]])
  expect(metrics.tasks[0]?.trouble).toBeNull()
})

test('each commit is remembered with its phases, the last fifty of them', async () => {
  const job = new MemoryJob()
  job.write('in', texts(60))
  const running = job.start(copy, { epochBytes: 1 })
  await job.clock.runUntil(running.finished)
  const { metrics } = running
  expect(metrics.checkpoints.entries()).toEqual([['bytes', 60]])
  expect(metrics.checkpointLatency.counts.reduce((a, b) => a + b)).toBe(60)
  expect(metrics.commits).toHaveLength(50)
  expect(metrics.commits.at(-1)).toMatchObject({ partition: 0, records: 1, cut: 'bytes', epoch: 60 })
  expect(metrics.partition(0)).toEqual({ epoch: 60, records: 60 })
})

test('the task shows what it is doing', async () => {
  const job = new MemoryJob()
  job.write('in', texts(3))
  let answer: (row: string) => void = () => undefined
  const running = job.start(
    (context) =>
      fromKafka(context, { topic: 'in', groupId: 'g' }).pipe(
        asyncLookup(context, {
          lookup: () =>
            new Promise<string>((resolve) => {
              answer = resolve
            }),
          wait: 'ordered',
          capacity: 1,
          timeoutMs: 60_000,
        }),
        filter(() => false),
      ),
    { follow: true },
  )
  const state = () => running.metrics.tasks[0]?.state
  const figures = (): Readonly<Record<string, unknown>> =>
    Object.fromEntries(running.metrics.figures.get('asyncLookup')?.map(({ name, value }) => [name, value]) ?? [])
  expect(running.metrics.phase).toBe('starting')
  await job.clock.advance(1)
  expect(running.metrics.phase).toBe('running')
  expect(state()).toBe('held')
  expect(running.metrics.tasks[0]).toMatchObject({ pending: 1, epochRecords: 1 })
  expect(figures()).toMatchObject({ lookup_in_flight: 1, lookup_requests: 1 })
  expect(await running.metrics.tasks[0]?.lag()).toEqual(new Map([['in', 3]]))
  await job.clock.advance(2000)
  expect(state()).toBe('committing')
  expect(running.metrics.gate.closedMs).toBeGreaterThan(0)
  for (let record = 0; record < 3; record += 1) {
    answer('row')
    await job.clock.advance(1500)
  }
  expect(state()).toBe('idle')
  expect(await running.metrics.tasks[0]?.lag()).toEqual(new Map([['in', 0]]))
  running.stop()
  await job.clock.runUntil(running.finished)
  expect(state()).toBe('ended')
  expect(figures()).toMatchObject({ lookup_in_flight: 0, lookup_requests: 3 })
  const { counts } = figures()['lookup_request_seconds'] as Durations
  expect(counts.reduce((a, b) => a + b)).toBe(3)
  expect(running.metrics.gate).toMatchObject({ closures: 3 })
})

test('a job that fails says with what', async () => {
  const job = new MemoryJob()
  job.write('in', texts(1))
  const running = job.start((context) =>
    fromKafka(context, { topic: 'in', groupId: 'g' }).pipe(
      tap(() => {
        throw new Error('always')
      }),
    ),
  )
  await failure(job.clock.runUntil(running.finished))
  expect(running.metrics.phase).toBe('failed')
  expect(running.metrics.failure?.code).toBe('pipeline-failed')
  expect(running.metrics.tasks[0]).toMatchObject({ state: 'failed', trouble: { code: 'pipeline-failed' } })
})

test('tallies show by name, their labels never, and an unknown dead-letter code as other', async () => {
  const job = new MemoryJob()
  job.write('in', ['x"; DROP TABLE', 'x\n\u0000', '</script>'])
  const running = job.start((context) =>
    fromKafka(context, { topic: 'in', groupId: 'g' }).pipe(
      tap(({ raw }) => {
        context.tally('messages', [String(raw), 'more'])
        context.tally('dead-letters', [String(raw)])
      }),
    ),
  )
  await job.clock.runUntil(running.finished)
  expect(running.metrics.tallies.entries()).toEqual([['messages', 3]])
  expect(running.metrics.deadLetters.entries()).toEqual([['other', 3]])
})
