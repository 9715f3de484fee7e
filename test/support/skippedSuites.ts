/** A suite that did not run, because a server it needs was not to be had. */
export interface SkippedSuite {
  readonly file: string
  readonly title: string
  readonly why: string
}

/** The last lines of a test run: what was not run, and why. Empty when nothing was left out. */
export function skippedText(suites: readonly SkippedSuite[]): string {
  if (suites.length === 0) return ''
  const reasons = Map.groupBy(suites, ({ why }) => why)
  const parts = [...reasons].flatMap(([why, left]) => [
    `  ${why}:`,
    ...left.map(({ file, title }) => `    ${file} > ${title}`).toSorted(),
  ])
  const count = suites.length === 1 ? '1 suite was' : `${String(suites.length)} suites were`
  return `\nNOT RUN: ${count} skipped for want of real servers.\n${parts.join('\n')}\n`
}
