import { map } from 'rxjs'
import { expect, it } from 'vitest'
import { asyncLookup } from '../../operators/asyncLookup.ts'
import { fromKafka } from '../../operators/fromKafka.ts'
import { sideOutput } from '../../operators/sideOutput.ts'
import { toKafkaTransactional } from '../../operators/toKafka.ts'
import type { DeadLetter } from '../../src/core/deadLetter.ts'
import { TidemarkError } from '../../src/core/errors.ts'
import type { LookupClient } from '../../src/core/ports/lookup.ts'
import { MemoryJob, type TestPipeline } from '../support/memoryJob.ts'

/** A system that answers, fails, or is silent. */
class FlakySystem implements LookupClient<Buffer | null, string> {
  readonly name = 'flaky'
  silent = false
  requests = 0

  lookup(): ReturnType<LookupClient<Buffer | null, string>['lookup']> {
    this.requests += 1
    return this.silent ? new Promise(() => undefined) : Promise.resolve({ kind: 'hit', result: 'row' })
  }

  probe(): Promise<void> {
    if (this.silent) return Promise.reject(new TidemarkError('system-unreachable', 'flaky does not answer'))
    return Promise.resolve()
  }
}

const pipelineOver =
  (system: FlakySystem): TestPipeline =>
  (context) => {
    const deadLetters = sideOutput<DeadLetter>(context, 'dead-letters')
    return [
      fromKafka(context, { topic: 'input', groupId: 'group' }).pipe(
        asyncLookup(context, { lookup: system, wait: 'unordered', timeoutMs: 5000, onError: deadLetters }),
        map((record) => record.withValue(record.raw)),
        toKafkaTransactional(context, { topic: 'output' }),
      ),
      deadLetters.records$.pipe(toKafkaTransactional(context, { topic: 'dlq' })),
    ]
  }

it('a system that is silent for a minute under load costs no dead letter and no counted failure', async () => {
  const job = new MemoryJob()
  const system = new FlakySystem()
  const values = Array.from({ length: 500 }, (_, index) => String(index))
  job.write('input', values)
  system.silent = true
  const running = job.start(pipelineOver(system), { restart: { strategy: 'none' } })
  await job.clock.advance(60_000)
  const before = system.requests
  expect(job.read('output')).toEqual([])
  // Paused: an epoch is tried again only when a probe is answered.
  await job.clock.advance(10_000)
  expect(system.requests).toBe(before)
  system.silent = false
  const result = await job.clock.runUntil(running.finished)
  expect(result.outcome).toBe('completed')
  expect(job.read('output').map(String).toSorted()).toEqual(values.toSorted())
  expect(job.read('dlq')).toEqual([])
  expect(job.clock.pending).toBe(0)
})

it('a stop during an outage ends the job at once, with nothing committed', async () => {
  const job = new MemoryJob()
  const system = new FlakySystem()
  job.write('input', ['a'])
  system.silent = true
  const running = job.start(pipelineOver(system))
  await job.clock.advance(60_000)
  running.stop()
  expect((await job.clock.runUntil(running.finished, 1)).outcome).toBe('stopped')
  expect(job.read('output')).toEqual([])
  system.silent = false
  await job.run(pipelineOver(system))
  expect(job.read('output')).toEqual(['a'])
})
