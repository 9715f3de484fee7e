import { tap } from 'rxjs'
import { describe, expect, it } from 'vitest'
import { asyncLookup } from '../../operators/asyncLookup.ts'
import { fromKafka } from '../../operators/fromKafka.ts'
import { toKafkaTransactional } from '../../operators/toKafka.ts'
import type { LookupClient } from '../../src/core/ports/lookup.ts'
import { MemoryJob, type TestPipeline } from '../support/memoryJob.ts'

const numbers = (count: number): string[] => Array.from({ length: count }, (_, index) => String(index))

describe('the gate', () => {
  it('is opened again at the end of an attempt that has left it closed', async () => {
    const job = new MemoryJob()
    job.write('input', numbers(10))
    const forgetful: TestPipeline = (context) =>
      fromKafka(context, { topic: 'input', groupId: 'group' }).pipe(
        tap(({ offset }) => {
          if (offset === 3 && context.epoch === 1) context.gate.close()
        }),
        toKafkaTransactional(context, { topic: 'output' }),
      )
    const result = await job.run(forgetful)
    expect(job.read('output')).toEqual(numbers(10))
    expect(result.epochs).toBe(2)
  })
})

describe('tallies', () => {
  it('of one epoch are bounded in number and in length, whatever stands in messages', async () => {
    const job = new MemoryJob()
    job.write('input', numbers(3000))
    const result = await job.run((context) =>
      fromKafka(context, { topic: 'input', groupId: 'group' }).pipe(
        tap(({ value }) => {
          context.tally('seen', [`${String(value)}${'x'.repeat(10_000)}`])
        }),
        toKafkaTransactional(context, { topic: 'output' }),
      ),
    )
    expect(result.tallies.length).toBeLessThanOrEqual(1001)
    expect(result.tallies.reduce((sum, { count }) => sum + count, 0)).toBe(3000)
    expect(Math.max(...result.tallies.flatMap(({ labels }) => labels.map(({ length }) => length)))).toBeLessThan(300)
  })
})

describe('an outage', () => {
  it('survives a client whose probe throws instead of rejecting', async () => {
    const job = new MemoryJob()
    job.write('input', ['a'])
    let silent = true
    const client: LookupClient<Buffer | null, Buffer | null> = {
      name: 'flaky',
      lookup: (result) => (silent ? new Promise(() => undefined) : Promise.resolve({ kind: 'hit', result })),
      probe: () => {
        if (silent) throw new Error('no connection')
        return Promise.resolve()
      },
    }
    const running = job.start((context) =>
      fromKafka(context, { topic: 'input', groupId: 'group' }).pipe(
        asyncLookup(context, { lookup: client, wait: 'ordered', timeoutMs: 1000 }),
        toKafkaTransactional(context, { topic: 'output', value: ({ raw }) => raw }),
      ),
    )
    await job.clock.advance(20_000)
    silent = false
    await job.clock.runUntil(running.finished)
    expect(job.read('output')).toEqual(['a'])
  })
})
