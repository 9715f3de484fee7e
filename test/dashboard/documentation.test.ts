import { expect, test } from 'vitest'
import { asyncLookup } from '../../operators/asyncLookup.ts'
import { fromKafka } from '../../operators/fromKafka.ts'
import { systemClock } from '../../src/core/ports/clock.ts'
import { LagSampler } from '../../src/dashboard/lagSampler.ts'
import { metricsRegistry } from '../../src/dashboard/metricsRegistry.ts'
import { MemoryFollower, MemoryTarget } from '../../src/testing/world/memoryFollower.ts'
import { TestProcess } from '../../src/testing/world/testProcess.ts'
import { MemoryJob } from '../support/memoryJob.ts'
import { toTarget } from '../support/toTarget.ts'
import { readPage, tableUnder } from '../docs/documentation.ts'

test('docs/metrics.md has every metric with its type and meaning, in the order of a scrape', async () => {
  const job = new MemoryJob()
  job.write('in', ['1'])
  // Steps that count by themselves show what they count.
  const follower = new MemoryFollower(new MemoryTarget(), new TestProcess({ clock: job.clock }))
  const { metrics, finished } = job.start((context) =>
    fromKafka(context, { topic: 'in', groupId: 'g' }).pipe(
      toTarget(context, { uid: 'rows', follower: () => follower }),
      asyncLookup(context, { lookup: () => Promise.resolve(null), wait: 'ordered' }),
    ),
  )
  await job.clock.runUntil(finished)
  const registry = metricsRegistry(metrics, new LagSampler(metrics, systemClock), 'test')
  const known = (await registry.getMetricsAsJSON()).map(({ name, type, help }) => [name, String(type), help])
  const documented = tableUnder(readPage('docs/metrics.md'), '## All metrics').map(
    ([name = '', type = '', , meaning = '']) => [name.replaceAll('`', ''), type, meaning],
  )
  expect(documented).toEqual(known)
})
