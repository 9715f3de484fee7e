import type { SummaryInput } from 'tidemark'
import {
  actionOrder,
  formatCount,
  formatElapsed,
  formatShare,
  meaningOf,
  perSecond,
  reconcileFigures,
  type NamedCount,
  type ReconcileFigures,
} from './figures.ts'
import { barChart, escapeHtml } from './reportCharts.ts'
import type { ReconcileSettings } from './settings.ts'

type Input = SummaryInput<ReconcileSettings>

/** What is drawn of each list; the tables beside the charts have all of it. */
const mostBars = 12

const colourClasses = { NONE: 'none', UPDATE: 'update', INSERT: 'insert', DELETE: 'delete' } as const
const words = { NONE: 'matched', UPDATE: 'differing', INSERT: 'missing', DELETE: 'to delete' } as const

/**
 * A run as one self-contained HTML page: headline figures, rows by table, the columns that differ most, dead letters by
 * reason. It loads and runs nothing, and its policy forbids both. Whatever came from messages is escaped.
 */
export function reconcileReport(input: Input): string {
  const figures = reconcileFigures(input.tallies)
  const { settings, world, records, durationMs, endedAtMs } = input
  const ended = `${new Date(endedAtMs).toISOString().slice(0, 19).replace('T', ' ')} UTC`
  const topics = `${settings['reconcile.input.topic']} → ${settings['reconcile.output.topic']}`
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>Reconcile report, ${escapeHtml(ended)}</title>
<style>${reportStyle}</style>
</head>
<body>
<main>
<h1>Messages held against their rows</h1>
<p>${escapeHtml(topics)}</p>
${headline(figures, records)}
${tableSection(figures)}
${differingSection(figures)}
${deadLetterSection(figures, settings['reconcile.dlq.topic'])}
<footer>World: ${escapeHtml(world)}. Ended ${escapeHtml(ended)} after ${formatElapsed(durationMs)}, ${perSecond(records, durationMs)} messages a second.</footer>
</main>
</body>
</html>
`
}

function headline({ actions, deadLetterCount }: ReconcileFigures, records: number): string {
  const tile = (colourClass: string, name: string, count: number): string =>
    `<div class="${colourClass}"><dt>${name}</dt><dd>${formatCount(count)}</dd><dd class="share">${formatShare(count, records)}</dd></div>`
  return `<dl class="headline">
<div><dt>messages</dt><dd>${formatCount(records)}</dd></div>
${actionOrder.map((action) => tile(colourClasses[action], words[action], actions[action])).join('\n')}
${tile('dead', 'dead letters', deadLetterCount)}
</dl>`
}

function tableSection({ tables }: ReconcileFigures): string {
  if (tables.length === 0) return ''
  const bars = tables.slice(0, mostBars).map(({ table, actions }) => ({
    label: table,
    segments: actionOrder.map((action) => ({
      name: words[action],
      colourClass: colourClasses[action],
      count: actions[action],
    })),
  }))
  const rows = tables.map(
    ({ table, actions, total }) =>
      `<tr><th scope="row">${escapeHtml(table)}</th>${cells([...actionOrder.map((action) => actions[action]), total])}</tr>`,
  )
  const heads = [...actionOrder.map((action) => words[action]), 'messages']
  const title = 'Messages by table'
  const description =
    'One bar a table: rows that match, differ, are missing or are to be deleted. The table below has the numbers.'
  return `<section>
<h2>${title}</h2>
<p>What each table needs in order to equal the messages about it.${rest(tables.length)}</p>
<ul class="legend">${actionOrder.map((action) => `<li class="${colourClasses[action]}">${words[action]}</li>`).join('')}</ul>
${barChart({ id: 'tables', title, description, bars })}
<div class="scroll"><table>
<thead><tr><th scope="col">table</th>${heads.map((head) => `<th scope="col">${head}</th>`).join('')}</tr></thead>
<tbody>
${rows.join('\n')}
</tbody>
</table></div>
</section>`
}

function differingSection({ differing, withIgnoredFields }: ReconcileFigures): string {
  if (differing.length === 0) return ''
  const title = 'Columns that differ most'
  const ignored =
    withIgnoredFields === 0
      ? ''
      : ` ${formatCount(withIgnoredFields)} messages have fields that no column has; these are ignored.`
  const rows = differing.map(({ name, count }) => `<tr><th scope="row">${escapeHtml(name)}</th>${cells([count])}</tr>`)
  return `<section>
<h2>${title}</h2>
<p>Messages whose value is not the row's. One message can differ in several columns, and a payload that is no object differs in all.${ignored}${rest(differing.length)}</p>
${countChart('columns', title, 'update', differing)}
${numbers('<th scope="col">column</th><th scope="col">messages</th>', rows)}
</section>`
}

function deadLetterSection({ deadLetters }: ReconcileFigures, topic: string): string {
  const title = 'Dead letters by reason'
  if (deadLetters.length === 0)
    return `<section><h2>${title}</h2><p>None: every message could be reconciled.</p></section>`
  const rows = deadLetters.map(
    ({ name, count }) =>
      `<tr><th scope="row">${escapeHtml(name)}</th><td class="text">${escapeHtml(meaningOf(name))}</td>${cells([count])}</tr>`,
  )
  return `<section>
<h2>${title}</h2>
<p>Messages that could not be reconciled, kept with their reasons in ${escapeHtml(topic)}.${rest(deadLetters.length)}</p>
${countChart('reasons', title, 'dead', deadLetters)}
${numbers('<th scope="col">reason</th><th scope="col" class="text">meaning</th><th scope="col">messages</th>', rows)}
</section>`
}

function countChart(id: string, title: string, colourClass: string, counts: readonly NamedCount[]): string {
  return barChart({
    id,
    title,
    description: 'One bar each, longest first. The table below has the numbers.',
    bars: counts
      .slice(0, mostBars)
      .map(({ name, count }) => ({ label: name, segments: [{ name: 'messages', colourClass, count }] })),
  })
}

function numbers(heads: string, rows: readonly string[]): string {
  return `<details><summary>As a table</summary><div class="scroll"><table>
<thead><tr>${heads}</tr></thead>
<tbody>
${rows.join('\n')}
</tbody>
</table></div></details>`
}

function rest(count: number): string {
  return count > mostBars ? ` The ${String(mostBars)} largest of ${formatCount(count)} are drawn.` : ''
}

function cells(counts: readonly number[]): string {
  return counts.map((count) => `<td>${formatCount(count)}</td>`).join('')
}

/** The style of the report: quiet, light or dark as the reader's system is, and nothing loaded from anywhere. */
const reportStyle = `
:root {
  color-scheme: light dark;
  --page: #f7f7f4; --card: #ffffff; --text: #22272e; --muted: #636c76; --line: #e3e3de;
  --none: #7ba596; --update: #d9982a; --insert: #3f80aa; --delete: #ad5a83; --dead: #a8503f;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #15171a; --card: #1d2024; --text: #e4e5e2; --muted: #98a1ab; --line: #30353b;
    --none: #6c9a8a; --update: #dba544; --insert: #5f9fc9; --delete: #c87ba1; --dead: #cf7a68;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--text); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 900px; margin: 0 auto; padding: 40px 20px 24px; }
h1 { font-size: 24px; font-weight: 600; margin: 0 0 4px; }
h2 { font-size: 17px; font-weight: 600; margin: 0 0 2px; }
p { margin: 0 0 16px; color: var(--muted); }
section { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 20px 24px; margin-top: 20px; }
dl.headline { display: grid; grid-template-columns: repeat(auto-fit, minmax(128px, 1fr)); gap: 12px; margin: 24px 0 0; }
dl.headline div { background: var(--card); border: 1px solid var(--line); border-top: 3px solid var(--line); border-radius: 8px; padding: 12px 14px; }
dl.headline dt { font-size: 13px; color: var(--muted); }
dl.headline dd { margin: 2px 0 0; font-size: 25px; font-weight: 600; font-variant-numeric: tabular-nums; line-height: 1.2; }
dl.headline dd.share { font-size: 13px; font-weight: 400; color: var(--muted); }
dl.headline .none { border-top-color: var(--none); }
dl.headline .update { border-top-color: var(--update); }
dl.headline .insert { border-top-color: var(--insert); }
dl.headline .delete { border-top-color: var(--delete); }
dl.headline .dead { border-top-color: var(--dead); }
svg { display: block; width: 100%; min-width: 560px; height: auto; }
svg text { font-size: 13px; dominant-baseline: central; fill: var(--text); }
svg .label { font-family: ui-monospace, monospace; font-size: 12px; }
svg .count { fill: var(--muted); font-variant-numeric: tabular-nums; }
svg .axis { stroke: var(--line); }
svg .none { fill: var(--none); }
svg .update { fill: var(--update); }
svg .insert { fill: var(--insert); }
svg .delete { fill: var(--delete); }
svg .dead { fill: var(--dead); }
ul.legend { display: flex; flex-wrap: wrap; gap: 4px 20px; list-style: none; padding: 0; margin: 0 0 12px; font-size: 13px; }
ul.legend li::before { content: ''; display: inline-block; width: 10px; height: 10px; border-radius: 2px; margin-right: 7px; background: var(--key); }
ul.legend .none { --key: var(--none); }
ul.legend .update { --key: var(--update); }
ul.legend .insert { --key: var(--insert); }
ul.legend .delete { --key: var(--delete); }
details { margin-top: 14px; }
summary { cursor: pointer; color: var(--muted); font-size: 13px; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; margin-top: 10px; font-size: 13px; }
th, td { text-align: left; padding: 5px 10px 5px 0; border-bottom: 1px solid var(--line); font-weight: 400; vertical-align: top; }
thead th { color: var(--muted); white-space: nowrap; }
td { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
td.text { text-align: left; white-space: normal; color: var(--muted); }
thead th + th { text-align: right; }
thead th.text { text-align: left; }
tbody th { min-width: 150px; font-family: ui-monospace, monospace; font-size: 12px; overflow-wrap: anywhere; }
footer { margin-top: 24px; font-size: 13px; color: var(--muted); }
`
