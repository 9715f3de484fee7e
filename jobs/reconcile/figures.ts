import { errorCodes, type PipelineContext, type Tally } from 'tidemark'
import type { ReconcileRequest } from './request.ts'
import type { Action, Verdict } from './shapes.ts'

/** One table and how its messages were judged. */
export interface TableFigures {
  /** `keyspace.table`, as the messages spell it: any text. */
  readonly table: string
  readonly actions: Readonly<Record<Action, number>>
  readonly total: number
}

export interface NamedCount {
  readonly name: string
  readonly count: number
}

/** What a run has counted, largest first; equal counts by name. */
export interface ReconcileFigures {
  readonly tables: readonly TableFigures[]
  readonly actions: Readonly<Record<Action, number>>
  /** `keyspace.table.column`. */
  readonly differing: readonly NamedCount[]
  /** By error code. */
  readonly deadLetters: readonly NamedCount[]
  readonly deadLetterCount: number
  /** Messages with fields that name no column. */
  readonly withIgnoredFields: number
}

/** Counts how one message was judged; `reconcileFigures` reads it back. */
export function tallyVerdict(
  context: Pick<PipelineContext, 'tally'>,
  { keyspace, tableName }: ReconcileRequest,
  { action, differing, ignored }: Verdict,
): void {
  const table = `${keyspace}.${tableName}`
  context.tally('messages', [table, action])
  if (action === 'UPDATE') for (const column of differing) context.tally('differing', [table, column])
  if (ignored > 0) context.tally('ignored-fields')
}

/** The actions in the order in which they are shown. */
export const actionOrder = ['NONE', 'UPDATE', 'INSERT', 'DELETE'] as const satisfies readonly Action[]

const noActions: Readonly<Record<Action, number>> = { NONE: 0, UPDATE: 0, INSERT: 0, DELETE: 0 }

/**
 * Sums the tallies of the job: `messages` by table and action, `differing` by table and column, `dead-letters` by code,
 * `ignored-fields`. What was counted without labels, because there were too many, stands under "others".
 */
export function reconcileFigures(tallies: readonly Tally[]): ReconcileFigures {
  const tables = new Map<string, Record<Action, number>>()
  const actions = { ...noActions }
  for (const { labels, count } of tallies.filter(({ name }) => name === 'messages')) {
    const [table = 'others', label] = labels
    const action = actionOrder.find((known) => known === label)
    if (action === undefined) continue
    const counts = tables.get(table) ?? { ...noActions }
    tables.set(table, counts)
    counts[action] += count
    actions[action] += count
  }
  const deadLetters = named(tallies, 'dead-letters')
  return {
    tables: [...tables]
      .map(([table, counts]) => ({ table, actions: counts, total: sum(Object.values(counts)) }))
      .sort((a, b) => b.total - a.total || byName(a.table, b.table)),
    actions,
    differing: named(tallies, 'differing'),
    deadLetters,
    deadLetterCount: sum(deadLetters.map(({ count }) => count)),
    withIgnoredFields: sum(tallies.filter(({ name }) => name === 'ignored-fields').map(({ count }) => count)),
  }
}

function named(tallies: readonly Tally[], name: string): readonly NamedCount[] {
  const counts = new Map<string, number>()
  for (const tally of tallies) {
    if (tally.name !== name) continue
    const label = tally.labels.length === 0 ? 'others' : tally.labels.join('.')
    counts.set(label, (counts.get(label) ?? 0) + tally.count)
  }
  return [...counts]
    .map(([label, count]) => ({ name: label, count }))
    .sort((a, b) => b.count - a.count || byName(a.name, b.name))
}

function byName(a: string, b: string): number {
  return a < b ? -1 : 1
}

function sum(counts: readonly number[]): number {
  return counts.reduce((total, count) => total + count, 0)
}

/** What an error code means; empty for one that is not Tidemark's. */
export function meaningOf(code: string): string {
  const known: Readonly<Record<string, { readonly summary: string }>> = errorCodes
  return Object.hasOwn(known, code) ? (known[code]?.summary ?? '') : ''
}

const counts = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 })

/** `12,345`. */
export function formatCount(count: number): string {
  return counts.format(count)
}

/** `0.41 s`, `12.3 s`, `3 min 20 s`. */
export function formatElapsed(durationMs: number): string {
  const seconds = durationMs / 1000
  if (seconds < 10) return `${seconds.toFixed(2)} s`
  if (seconds < 120) return `${seconds.toFixed(1)} s`
  return `${String(Math.floor(seconds / 60))} min ${String(Math.floor(seconds % 60))} s`
}

/** Records per second, as a whole number; of a run too short to measure, as if it had taken 1 ms. */
export function perSecond(records: number, durationMs: number): string {
  return formatCount(records / (Math.max(durationMs, 1) / 1000))
}

/** A share of a whole: `12.3 %`. */
export function formatShare(count: number, whole: number): string {
  return whole === 0 ? '–' : `${((100 * count) / whole).toFixed(1)} %`
}

/** The text, or its beginning and its end around an ellipsis, in at most `width` characters. */
export function cutMiddle(text: string, width: number): string {
  // Of a text of megabytes only the ends are looked at; a character has at most two units.
  const ends = text.length > 8 * width ? text.slice(0, 2 * width) + text.slice(-2 * width) : text
  const characters = Array.from(ends)
  if (characters.length <= width) return text
  const end = Math.max(0, Math.floor((width - 1) / 2))
  const tail = end === 0 ? '' : characters.slice(-end).join('')
  return `${characters.slice(0, Math.max(0, width - 1 - end)).join('')}…${tail}`
}
