import { Registry } from 'prom-client'
import { expect, test } from 'vitest'
import { Durations } from '../../src/core/figures.ts'
import { registerFamily, type MetricFamily, type Point } from '../../src/dashboard/metricFamily.ts'
import { parseScrape, type Scrape } from './scrape.ts'

async function scrape(family: MetricFamily): Promise<Scrape> {
  const registry = new Registry()
  registerFamily(registry, family)
  return parseScrape(await registry.metrics())
}

test('beyond a thousand series the rest is summed up under other', async () => {
  const points = Array.from({ length: 5_000 }, (_, index): Point => [{ topic: `t${String(index)}` }, 2])
  const { samples, value } = await scrape({ name: 'lag', help: 'Lag.', kind: 'gauge', points })
  expect(samples).toHaveLength(1_001)
  expect(value('lag', { topic: 'other' })).toBe(8_000)
})

test('each scrape shows what is true then, and forgets series that are gone', async () => {
  const tasks = (points: Point[]): MetricFamily => ({ name: 'tasks', help: 'Tasks.', kind: 'gauge', points })
  expect((await scrape(tasks([[{ state: 'running' }, 2]]))).value('tasks', { state: 'running' })).toBe(2)
  const { samples } = await scrape(tasks([[{ state: 'idle' }, 1]]))
  expect(samples).toEqual([{ name: 'tasks', labels: { state: 'idle' }, value: 1 }])
})

test('series of the same labels are one, also where long labels are the same only when they are cut', async () => {
  const points: Point[] = ['a', 'b'].map((end) => [{ topic: `${'t'.repeat(200)}${end}` }, 2])
  const { samples } = await scrape({ name: 'lag', help: 'Lag.', kind: 'gauge', points })
  expect(samples.map(({ value }) => value)).toEqual([4])
})

test('histograms are bounded as well', async () => {
  const took = new Durations([1])
  took.add(1)
  const points = Array.from({ length: 3_000 }, (_, index) => [{ step: `s${String(index)}` }, took] as const)
  const { samples } = await scrape({ name: 'latency', help: 'Latency.', kind: 'histogram', points })
  expect(samples).toHaveLength(4_000)
})
