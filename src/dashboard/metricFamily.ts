import { Counter, Gauge, Histogram, type MetricObjectWithValues, type MetricValue, type Registry } from 'prom-client'
import type { Durations } from '../core/figures.ts'

export type Labels = Readonly<Record<string, string>>

/** One time series. */
export type Point<Value = number> = readonly [labels: Labels, value: Value]

/** A metric whose values are counted elsewhere, as they are now. */
export type MetricFamily = { readonly name: string; readonly help: string } & (
  | { readonly kind: 'counter' | 'gauge'; readonly points: readonly Point[] }
  | { readonly kind: 'histogram'; readonly points: readonly Point<Durations>[] }
)

/** Time series of one family; what comes after them is summed up under labels that say `other`. */
const maxSeries = 1_000
const maxLabelLength = 100

const kinds = { counter: Counter, gauge: Gauge, histogram: Histogram } as const

export function registerFamily(registry: Registry, family: MetricFamily): void {
  registry.registerMetric(new CountedElsewhere(family))
}

/** prom-client's own metrics must be told each value. To the registry a metric is what `get` resolves with. */
class CountedElsewhere extends Gauge {
  readonly #family: MetricFamily

  constructor(family: MetricFamily) {
    super({ name: family.name, help: family.help, registers: [] })
    this.#family = family
  }

  override async get(): Promise<MetricObjectWithValues<MetricValue<string>>> {
    const { name, help, kind, points } = this.#family
    // Lends the type.
    const shape = await new kinds[kind]({ name, help, registers: [] }).get()
    return { ...shape, values: kind === 'histogram' ? bucketsOf(name, points) : seriesOf(points) }
  }
}

function seriesOf(points: readonly Point[]): MetricValue<string>[] {
  const series = new Map<string, MetricValue<string>>()
  for (const [index, [given, value]] of points.entries()) {
    const labels = shown(given, (text) => (index < maxSeries ? shortened(text) : 'other'))
    const key = JSON.stringify(labels)
    series.set(key, { labels, value: value + (series.get(key)?.value ?? 0) })
  }
  return [...series.values()]
}

function bucketsOf(
  name: string,
  points: readonly Point<Durations>[],
): (MetricValue<string> & { readonly metricName: string })[] {
  return points.slice(0, maxSeries).flatMap(([given, { boundsMs, counts, sumMs }]) => {
    let cumulated = 0
    const labels = shown(given, shortened)
    const buckets = counts.map((count, bucket) => {
      cumulated += count
      const bound = boundsMs[bucket]
      const le = bound === undefined ? '+Inf' : String(bound / 1000)
      return { metricName: `${name}_bucket`, labels: { ...labels, le }, value: cumulated }
    })
    return [
      ...buckets,
      { metricName: `${name}_sum`, labels, value: sumMs / 1000 },
      { metricName: `${name}_count`, labels, value: cumulated },
    ]
  })
}

function shown(labels: Labels, text: (text: string) => string): Record<string, string> {
  return Object.fromEntries(Object.entries(labels).map(([label, given]) => [label, text(given)]))
}

function shortened(text: string): string {
  return text.length > maxLabelLength ? `${text.slice(0, maxLabelLength - 1)}…` : text
}
