import { Registry } from 'prom-client'
import { expect, test } from 'vitest'
import { registerFamily, registerHistogram, type Point } from '../../src/dashboard/metricFamily.ts'
import { parseScrape } from './scrape.ts'

test('beyond a thousand series the rest is summed up under other', async () => {
  const registry = new Registry()
  const points = Array.from({ length: 5_000 }, (_, index): Point => [{ topic: `t${String(index)}` }, 2])
  registerFamily(registry, { name: 'lag', help: 'Lag.', kind: 'gauge', labels: ['topic'], points: () => points })
  const { samples, value } = parseScrape(await registry.metrics())
  expect(samples).toHaveLength(1_001)
  expect(value('lag', { topic: 'other' })).toBe(8_000)
})

test('each scrape shows what is true then, and forgets series that are gone', async () => {
  const registry = new Registry()
  let points: Point[] = [[{ state: 'running' }, 2]]
  registerFamily(registry, { name: 'tasks', help: 'Tasks.', kind: 'gauge', labels: ['state'], points: () => points })
  expect(parseScrape(await registry.metrics()).value('tasks', { state: 'running' })).toBe(2)
  points = [[{ state: 'idle' }, 1]]
  expect(parseScrape(await registry.metrics()).samples).toEqual([
    { name: 'tasks', labels: { state: 'idle' }, value: 1 },
  ])
})

test('histograms are bounded as well', async () => {
  const registry = new Registry()
  const series = Array.from({ length: 3_000 }, (_, index) => ({
    labels: { step: `s${String(index)}` },
    boundsMs: [1],
    counts: [1, 0],
    sumMs: 1,
  }))
  registerHistogram(registry, { name: 'latency', help: 'Latency.', labels: ['step'], series: () => series })
  expect(parseScrape(await registry.metrics()).samples).toHaveLength(4_000)
})
