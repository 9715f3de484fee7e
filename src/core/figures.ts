/** One number that a client or a step counts, for metrics. */
export interface Figure {
  /** In snake_case, with its unit: `statement_cache_hits`. A constant of who counts, never made from a message. */
  readonly name: string
  /** One sentence, for the metric's help. */
  readonly meaning: string
  /** A `counter` only grows; a `gauge` is true at the moment, and over when its task is. */
  readonly kind: 'counter' | 'gauge'
  readonly value: number
}

/** A figure in one line. */
export function figure(kind: Figure['kind'], name: string, meaning: string, value: number): Figure {
  return { name, meaning, kind, value }
}

/** A counter for each value of one label. */
export interface LabelledFigure extends Pick<Figure, 'name' | 'meaning'> {
  readonly kind: 'counters'
  readonly label: string
  readonly value: ReadonlyMap<string, number>
}

/** How long something took, each time. */
export interface DurationFigure extends Pick<Figure, 'name' | 'meaning'> {
  readonly kind: 'durations'
  readonly value: Durations
}

/** What a step counts besides the records that pass it: the same names in each reading, in the same order. */
export type StepFigure = ShownFigure | LabelledFigure | DurationFigure

interface ShownFigure extends Figure {
  /** The page's name for it, where it shows it: `records` that came in, what is `inFlight` now, or a name of its own. */
  readonly shown?: string
}

/** Durations counted by bucket. */
export class Durations {
  /** Upper bounds in ms; one more bucket holds what took longer. */
  readonly boundsMs: readonly number[]
  /** Per bucket, not cumulated. */
  readonly counts: number[]
  sumMs = 0

  constructor(boundsMs: readonly number[]) {
    this.boundsMs = boundsMs
    this.counts = Array.from({ length: boundsMs.length + 1 }, () => 0)
  }

  add(durationMs: number): void {
    let bucket = 0
    while (bucket < this.boundsMs.length && durationMs > (this.boundsMs[bucket] ?? 0)) bucket += 1
    this.counts[bucket] = (this.counts[bucket] ?? 0) + 1
    this.sumMs += durationMs
  }

  plus({ counts, sumMs }: Durations): Durations {
    const sum = new Durations(this.boundsMs)
    for (const [bucket, count] of this.counts.entries()) sum.counts[bucket] = count + (counts[bucket] ?? 0)
    sum.sumMs = this.sumMs + sumMs
    return sum
  }
}

/** Two readings of one step, by two of its tasks, as one. */
export function sumOf(some: readonly StepFigure[], others: readonly StepFigure[]): readonly StepFigure[] {
  return some.map((one) =>
    plus(
      one,
      others.find(({ name }) => name === one.name),
    ),
  )
}

function plus(some: StepFigure, other: StepFigure | undefined): StepFigure {
  if (some.kind === 'counters' && other?.kind === 'counters') {
    const value = new Map(some.value)
    for (const [label, count] of other.value) value.set(label, (value.get(label) ?? 0) + count)
    return { ...some, value }
  }
  if (some.kind === 'durations' && other?.kind === 'durations') {
    return { ...some, value: some.value.plus(other.value) }
  }
  const areNumbers = (some.kind === 'counter' || some.kind === 'gauge') && other?.kind === some.kind
  return areNumbers ? { ...some, value: some.value + other.value } : some
}
