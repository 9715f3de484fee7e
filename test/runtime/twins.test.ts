import { expect, it } from 'vitest'
import { fromKafka } from '../../operators/fromKafka.ts'
import { toKafkaTransactional } from '../../operators/toKafka.ts'
import type { PipelineContext } from '../../src/core/context.ts'
import { MemoryJob } from '../support/memoryJob.ts'

const copy = (context: PipelineContext) => [
  fromKafka(context, { topic: 'input', groupId: 'group' }).pipe(toKafkaTransactional(context, { topic: 'output' })),
]

it('two owners that take a task from each other give way twice as long each time, until one commits', async () => {
  const job = new MemoryJob()
  const epochs = { follow: true, checkpoint: { intervalMs: 8_000 } }
  job.write('input', ['a'])
  const first = job.start(copy, epochs)
  await job.clock.advance(4_000)
  // Without a group each process has every task, as two jobs with the same transactional ids have.
  const second = job.start(copy, epochs)
  await job.clock.advance(240_000)
  expect(job.read('output')).toEqual(['a'])
  job.write('input', ['b'])
  await job.clock.advance(480_000)
  expect(job.read('output')).toEqual(['a', 'b'])
  first.stop()
  second.stop()
  await job.clock.runUntil(Promise.all([first.finished, second.finished]))
})
