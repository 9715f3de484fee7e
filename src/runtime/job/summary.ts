/** How a text may look on a terminal. */
export type TextStyle = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan' | 'magenta'

/** How many times an event was counted by `context.tally`, in committed epochs only. */
export interface Tally {
  readonly name: string
  readonly labels: readonly string[]
  readonly count: number
}

/** A committed output, kept as an example. */
export interface OutputExample {
  readonly topic: string
  readonly key: string | null
  readonly value: string | null
}

/** What a finished run hands to the job's `summary`. */
export interface SummaryInput<Settings> {
  readonly settings: Settings
  readonly world: string
  readonly tallies: readonly Tally[]
  /** Input records committed by this run. */
  readonly records: number
  readonly durationMs: number
  /** When the run ended, ms since 1970. */
  readonly endedAtMs: number
  /** The first committed records of the topics that the job writes, to choose examples from. */
  readonly outputs: readonly OutputExample[]
  /** Colours a text where the terminal takes colours; colours that lines have otherwise are printed as escapes. */
  style(format: TextStyle, text: string): string
}

/** A job's own words about a run: lines for the terminal, and a self-contained page for `<data.dir>/report.html`. */
export interface JobSummary {
  readonly lines: readonly string[]
  readonly reportHtml: string | null
}
