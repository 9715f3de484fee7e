import { expect, test } from 'vitest'
import { systemClock } from '../../src/core/ports/clock.ts'
import { LagSampler } from '../../src/dashboard/lagSampler.ts'
import { metricsRegistry } from '../../src/dashboard/metricsRegistry.ts'
import { JobMetrics } from '../../src/runtime/metrics/jobMetrics.ts'
import { readPage, tableUnder } from '../docs/documentation.ts'

test('docs/metrics.md has every metric with its type and meaning, in the order of a scrape', async () => {
  const metrics = new JobMetrics('job', systemClock)
  const registry = metricsRegistry(metrics, new LagSampler(metrics, systemClock), 'test')
  const known = (await registry.getMetricsAsJSON()).map(({ name, type, help }) => [name, String(type), help])
  const documented = tableUnder(readPage('docs/metrics.md'), '## All metrics').map(
    ([name = '', type = '', , meaning = '']) => [name.replaceAll('`', ''), type, meaning],
  )
  expect(documented).toEqual(known)
})
