import { Counter, Gauge, Histogram, type MetricObjectWithValues, type MetricValue, type Registry } from 'prom-client'

export type Labels = Readonly<Record<string, string>>

/** One time series at the moment of the scrape. */
export type Point = readonly [labels: Labels, value: number]

/** A counter or gauge whose values stand elsewhere and are read at each scrape. */
export interface MetricFamily {
  readonly name: string
  readonly help: string
  readonly kind: 'counter' | 'gauge'
  readonly labels?: readonly string[]
  points(): Iterable<Point>
}

/** Durations counted by bucket, elsewhere. */
export interface BucketSeries {
  readonly labels: Labels
  readonly boundsMs: readonly number[]
  /** Per bucket, not cumulated; one more than there are bounds. */
  readonly counts: readonly number[]
  readonly sumMs: number
}

export interface HistogramFamily {
  readonly name: string
  readonly help: string
  readonly labels?: readonly string[]
  series(): Iterable<BucketSeries>
}

/** Time series of one family; what comes after them is summed up under labels that say `other`. */
const maxSeries = 1_000
const maxLabelLength = 100

export function registerFamily(registry: Registry, family: MetricFamily): void {
  const { name, help, labels = [] } = family
  const configuration = { name, help, labelNames: labels, registers: [] }
  const fill = (metric: Counter | Gauge): void => {
    metric.reset()
    for (const [given, value] of bounded(family)) metric.inc({ ...given }, value)
  }
  const metric =
    family.kind === 'counter'
      ? new Counter({
          ...configuration,
          collect() {
            fill(this)
          },
        })
      : new Gauge({
          ...configuration,
          collect() {
            fill(this)
          },
        })
  registry.registerMetric(metric)
}

export function registerHistogram(registry: Registry, family: HistogramFamily): void {
  registry.registerMetric(new BucketHistogram(family))
}

/**
 * A histogram that shows buckets which are counted elsewhere; prom-client's own must be told each value. To the registry
 * a metric is what `get` resolves with.
 */
class BucketHistogram extends Gauge {
  readonly #family: HistogramFamily
  /** Lends the type. */
  readonly #shape: Histogram

  constructor(family: HistogramFamily) {
    const { name, help, labels = [] } = family
    super({ name, help, labelNames: [...labels], registers: [] })
    this.#family = family
    this.#shape = new Histogram({ name, help, labelNames: [...labels], registers: [] })
  }

  override async get(): Promise<MetricObjectWithValues<MetricValue<string>>> {
    const shape = await this.#shape.get()
    return { ...shape, values: this.#values() }
  }

  #values(): (MetricValue<string> & { readonly metricName: string })[] {
    const { name } = this.#family
    return [...this.#family.series()].slice(0, maxSeries).flatMap(({ labels, boundsMs, counts, sumMs }) => {
      let cumulated = 0
      const own = shortened(labels)
      const buckets = counts.map((count, bucket) => {
        cumulated += count
        const bound = boundsMs[bucket]
        const le = bound === undefined ? '+Inf' : String(bound / 1000)
        return { metricName: `${name}_bucket`, labels: { ...own, le }, value: cumulated }
      })
      return [
        ...buckets,
        { metricName: `${name}_sum`, labels: own, value: sumMs / 1000 },
        { metricName: `${name}_count`, labels: own, value: cumulated },
      ]
    })
  }
}

function* bounded(family: MetricFamily): Generator<Point> {
  let series = 0
  const rest = Object.fromEntries((family.labels ?? []).map((label) => [label, 'other']))
  for (const [given, value] of family.points()) {
    series += 1
    yield [series <= maxSeries ? shortened(given) : rest, value]
  }
}

function shortened(labels: Labels): Record<string, string> {
  return Object.fromEntries(
    Object.entries(labels).map(([label, text]) => [
      label,
      text.length > maxLabelLength ? `${text.slice(0, maxLabelLength - 1)}…` : text,
    ]),
  )
}
