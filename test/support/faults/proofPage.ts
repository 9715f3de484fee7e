import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { availableParallelism, totalmem } from 'node:os'
import path from 'node:path'

const page = 'docs/proof.md'

/** What a part of the proof has come to. */
export interface Proved {
  /** Empty when everything holds. */
  readonly wrong: readonly string[]
  /** Lines for the page. */
  readonly figures: readonly string[]
}

/** Puts the figures of a part between its marks on the page, below the command, the day, and the machine in general terms. */
export function writeFigures(part: string, command: string, seconds: number, figures: readonly string[]): void {
  const machine = `${String(availableParallelism())} cores, ${String(Math.round(totalmem() / 2 ** 30))} GB, Node ${process.versions.node}`
  const day = new Date().toISOString().slice(0, 10)
  const text = [`\`${command}\`, ${day}, ${machine}, ${String(Math.round(seconds))} s:`, '', ...figures].join('\n')
  // First: a page without a place for them must not cost the figures of an hour.
  process.stdout.write(`${text}\n\n`)
  const marks = new RegExp(`(<!-- proof: ${part} -->\\n)[^]*?(\\n<!-- end -->)`)
  const old = readFileSync(page, 'utf8')
  if (!marks.test(old)) throw new Error(`${page} has no place for ${part}`)
  writeFileSync(
    page,
    old.replace(marks, (_, open: string, end: string) => `${open}\n${text}\n${end}`),
  )
  spawnSync(process.execPath, [path.resolve('node_modules/prettier/bin/prettier.cjs'), '--write', page])
}

/** A table of two columns. */
export function table(
  head: readonly [string, string],
  rows: readonly (readonly [string, string])[],
): readonly string[] {
  return [head, ['---', '---'] as const, ...rows].map(([left, right]) => `| ${left} | ${right} |`)
}

/** Median and longest, in words. */
export function medianAndLongest(times: readonly number[]): string {
  const sorted = times.toSorted((a, b) => a - b)
  const median = sorted[Math.floor(sorted.length / 2)] ?? 0
  return `median ${String(median)} ms, longest ${String(sorted.at(-1) ?? 0)} ms`
}
