/** One line of a scrape. */
export interface SampleLine {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

export interface Scrape {
  /** By metric name. */
  readonly types: ReadonlyMap<string, string>
  readonly samples: readonly SampleLine[]
  /** The value of the one series with this name and these labels. */
  readonly value: (name: string, labels?: Readonly<Record<string, string>>) => number | undefined
}

const line = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/
const label = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\[\\"n])*)"(?:,|$)/y

/** Reads the Prometheus text format as strictly as it is written down; throws at the first thing that is not in it. */
export function parseScrape(text: string): Scrape {
  const types = new Map<string, string>()
  const samples: SampleLine[] = []
  const seen = new Set<string>()
  for (const row of text.split('\n')) {
    if (row === '' || row.startsWith('# HELP ')) continue
    if (row.startsWith('# TYPE ')) {
      const [, , name = '', type = ''] = row.split(' ')
      if (types.has(name)) throw new Error(`two types of ${name}`)
      types.set(name, type)
      continue
    }
    const [, name = '', labelText = '', valueText = ''] = line.exec(row) ?? []
    if (name === '') throw new Error(`not a sample: ${row}`)
    const labels = parseLabels(labelText)
    const key = JSON.stringify([name, Object.entries(labels).map(String).toSorted()])
    if (seen.has(key)) throw new Error(`twice: ${row}`)
    seen.add(key)
    const value = Number(valueText)
    if (Number.isNaN(value)) throw new Error(`not a number: ${row}`)
    samples.push({ name, labels, value })
  }
  return {
    types,
    samples,
    value: (name, labels = {}) =>
      samples.find(
        (sample) =>
          sample.name === name &&
          Object.keys(sample.labels).length === Object.keys(labels).length &&
          Object.entries(labels).every(([key, text_]) => sample.labels[key] === text_),
      )?.value,
  }
}

function parseLabels(text: string): Record<string, string> {
  const labels: Record<string, string> = {}
  label.lastIndex = 0
  while (label.lastIndex < text.length) {
    const at = label.lastIndex
    const [, name = '', escaped = ''] = label.exec(text) ?? []
    if (name === '') throw new Error(`not labels, from ${String(at)}: ${text}`)
    labels[name] = escaped.replaceAll(/\\([\\"n])/g, (_, character: string) => (character === 'n' ? '\n' : character))
  }
  return labels
}
