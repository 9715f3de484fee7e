import { visible, type JobSummary, type OutputExample, type SummaryInput } from 'tidemark'
import {
  actionOrder,
  cutMiddle,
  formatCount,
  formatElapsed,
  formatShare,
  meaningOf,
  perSecond,
  reconcileFigures,
  type ReconcileFigures,
} from './figures.ts'
import { reconcileReport } from './report.ts'
import type { ReconcileSettings } from './settings.ts'

type Input = SummaryInput<ReconcileSettings>

/** Characters that a line has on an ordinary terminal. */
const lineWidth = 110
const mostReasons = 12
const mostColumns = 3

const meanings = {
  NONE: 'nothing to do: the row agrees with the message',
  UPDATE: 'the row differs from the message',
  INSERT: 'the row is missing',
  DELETE: 'the row is there, and the message says that it is deleted',
} as const

const styles = { NONE: 'green', UPDATE: 'yellow', INSERT: 'cyan', DELETE: 'magenta', dead: 'red' } as const

/**
 * What a run of the job has found, in some 30 lines of at most 110 characters, and the page with its charts. A run that
 * found nothing new has one line and no page, so that an earlier run's page stays.
 */
export function reconcileSummary(input: Input): JobSummary {
  const { settings, records, durationMs, world } = input
  if (records === 0) {
    const topic = visible(settings['reconcile.input.topic'])
    return { lines: [`Nothing new: every message of ${topic} has been reconciled before.`], reportHtml: null }
  }
  const figures = reconcileFigures(input.tallies)
  const bold = (text: string): string => input.style('bold', text)
  const head = `${formatCount(records)} messages in ${formatElapsed(durationMs)}`
  const blocks = [
    [`${bold(head)}, ${perSecond(records, durationMs)} a second (${visible(world)})`],
    actionLines(input, figures),
    reasonLines(input, figures),
    noteLines(figures),
    exampleLines(input),
  ]
  const lines = blocks
    .filter((block) => block.length > 0)
    .flatMap((block, index) => (index === 0 ? block : ['', ...block]))
  return { lines, reportHtml: reconcileReport(input) }
}

function actionLines(input: Input, { actions, deadLetterCount }: ReconcileFigures): readonly string[] {
  const topic = visible(input.settings['reconcile.dlq.topic'])
  const rows = [
    ...actionOrder.map((action) => ({ name: action, count: actions[action], meaning: meanings[action] })),
    { name: 'dead' as const, count: deadLetterCount, meaning: `could not be reconciled, kept in ${topic}` },
  ]
  const width = Math.max(...rows.map(({ count }) => formatCount(count).length))
  return rows.map(({ name, count, meaning }) => {
    const share = formatShare(count, input.records).padStart(7)
    return `  ${input.style(styles[name], name.padEnd(6))}  ${formatCount(count).padStart(width)}  ${share}  ${meaning}`
  })
}

function reasonLines(input: Input, { deadLetters }: ReconcileFigures): readonly string[] {
  if (deadLetters.length === 0) return []
  const shown = deadLetters.slice(0, mostReasons)
  const width = Math.max(...shown.map(({ count }) => formatCount(count).length))
  const nameWidth = Math.max(...shown.map(({ name }) => name.length))
  const room = lineWidth - width - nameWidth - 6
  const more = deadLetters.length - shown.length
  return [
    input.style('bold', 'Dead letters by reason'),
    ...shown.map(({ name, count }) => {
      const meaning = input.style('dim', cutEnd(meaningOf(name), room))
      return `  ${formatCount(count).padStart(width)}  ${visible(name).padEnd(nameWidth)}  ${meaning}`.trimEnd()
    }),
    ...(more > 0 ? [`  and ${String(more)} reasons more`] : []),
  ]
}

function noteLines({ differing, withIgnoredFields }: ReconcileFigures): readonly string[] {
  const columns = differing
    .slice(0, mostColumns)
    .map(({ name, count }) => `${cutMiddle(visible(name), 28)} ${formatCount(count)}`)
  const rest = differing.length > mostColumns ? ', …' : ''
  return [
    ...(columns.length > 0 ? [cutEnd(`Differing most: ${columns.join(', ')}${rest}`, lineWidth)] : []),
    ...(withIgnoredFields > 0
      ? [`Ignored: fields that no column has, in ${formatCount(withIgnoredFields)} messages`]
      : []),
  ]
}

/** One result of each action and one dead letter, as far as the first outputs have them. */
function exampleLines(input: Input): readonly string[] {
  const { outputs, settings } = input
  const results = outputs.filter(({ topic }) => topic === settings['reconcile.output.topic'])
  const examples =
    settings['reconcile.shape'] === 'action'
      ? actionOrder.map((action) => ({ name: action, example: results.find((output) => actionOf(output) === action) }))
      : [{ name: 'result' as const, example: results[0] }]
  const dead = outputs.find(({ topic }) => topic === settings['reconcile.dlq.topic'])
  const lines = [...examples, { name: 'dead' as const, example: dead }].flatMap(({ name, example }) => {
    if (typeof example?.value !== 'string') return []
    const style = name === 'result' ? 'green' : styles[name]
    const [first, ...more] = exampleLinesOf(example.value, lineWidth - 11)
    return [`  ${input.style(style, name.padEnd(6))}  ${first}`, ...more.map((text) => `${' '.repeat(11)}${text}`)]
  })
  return lines.length === 0 ? [] : [input.style('bold', 'An output of each'), ...lines]
}

function actionOf({ value }: OutputExample): unknown {
  if (value === null) return undefined
  try {
    const parsed: unknown = JSON.parse(value)
    return typeof parsed === 'object' && parsed !== null && 'action' in parsed ? parsed.action : undefined
  } catch {
    return undefined
  }
}

/**
 * The text itself on at most two lines, not parsed and written anew: digits stay. Fingerprints are cut to eight digits, and
 * what is still too long is cut in the middle.
 */
function exampleLinesOf(value: string, width: number): readonly [string, ...string[]] {
  const short = cutMiddle(value.replaceAll(/"([0-9A-Fa-f]{8})[0-9A-Fa-f]{56}"/g, '"$1…"'), 4 * width)
  const text = visible(short)
  if (text.length <= width) return [text]
  const comma = text.slice(0, width).lastIndexOf(',"') + 1
  const end = comma > width / 2 ? comma : width
  return [text.slice(0, end), cutMiddle(text.slice(end), width)]
}

function cutEnd(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, Math.max(0, width - 1))}…`
}
