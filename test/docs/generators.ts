import * as rxjs from 'rxjs'
import { record, runJob } from 'tidemark/testing'
import job from '../../jobs/reconcile.ts'
import { badMessages } from '../../jobs/reconcile/badMessages.ts'
import { reconcileSettings } from '../../jobs/reconcile/settings.ts'
import { exitCodeOf } from '../../src/cli/output/errorText.ts'
import { systems } from '../../src/composition.ts'
import { errorCodes, TidemarkError, type ErrorCode } from '../../src/core/errors.ts'
import type { SettingSpec, SettingSpecs } from '../../src/core/setting.ts'
import { frameworkSettings } from '../../src/runtime/settings/frameworkSettings.ts'
import { environmentName } from '../../src/runtime/settings/resolve.ts'
import { silentlyDifferent } from '../../src/runtime/plan/silentlyDifferent.ts'
import { cases, messages, reconcile, shapes, tables } from '../jobs/reconcile/shapeFixtures.ts'
import { readPage, tableOf, tableUnder } from './documentation.ts'

/** What makes each generated part of the pages, by its name. */
export const generators: Readonly<Record<string, () => string | Promise<string>>> = {
  'crash-table': crashTable,
  'error-codes': errorTable,
  'framework-settings': () => settingsTable(frameworkSettings),
  ...Object.fromEntries(systems.map(({ name, settings }) => [`${name}-settings`, () => settingsTable(settings)])),
  'reconcile-settings': () => settingsTable(reconcileSettings),
  'silently-different': silentlyDifferentTable,
  'reconcile-tables': () => jsonBlocks(tables.map((table) => JSON.stringify(table))),
  'reconcile-shapes': shapeExamples,
  'reconcile-bad-messages': badMessageTable,
  'reconcile-dead-letter': deadLetterExample,
}

const code = (text: string): string => (text === '' ? '' : `\`${text}\``)

/** The tables in the comment of recovery, which is where they are kept up. */
function crashTable(): string {
  const found = readPage('src/runtime/task/recovery.ts').text.matchAll(/(?:^ \* \|.*\|\n)+/gm)
  return [...found].map(([table]) => table.replaceAll(/^ \* /gm, '')).join('\n')
}

/** Everything but what to do, which people write: it is kept as it stands on the page. */
function errorTable(): string {
  const remedies = new Map(
    tableUnder(readPage('docs/errors.md'), '## All codes').map((cells) => [cells[0], cells[4] ?? '']),
  )
  return tableOf(
    ['Code', 'Kind', 'Exit', 'Meaning', 'What to do'],
    Object.entries(errorCodes).map(([name, { kind, summary }]) => [
      code(name),
      code(kind),
      String(exitCodeOf(new TidemarkError(name as ErrorCode, ''))),
      summary,
      remedies.get(code(name)) ?? '',
    ]),
  )
}

function settingsTable(specs: SettingSpecs): string {
  return tableOf(
    ['Setting', 'Default', 'Meaning', 'Takes', 'Example'],
    Object.entries(specs).map(([key, spec]) => [
      `${code(key)}<br>${code(environmentName(key))}`,
      defaultOf(spec),
      spec.meaning,
      spec.expected.replaceAll('<', String.raw`\<`),
      code(spec.example),
    ]),
  )
}

function defaultOf(spec: SettingSpec<unknown>): string {
  if (spec.default !== null) return code(spec.encode(spec.default.value))
  if (spec.defaultFor !== null) return code(spec.encode(spec.defaultFor('<job.name>')))
  return spec.optional ? 'none' : 'must be set'
}

function silentlyDifferentTable(): string {
  const found = silentlyDifferent(`import { ${Object.keys(rxjs).join(', ')} } from 'rxjs'`)
  const byEffect = found.toSorted((a, b) => (a.effect < b.effect ? -1 : a.effect > b.effect ? 1 : 0))
  const rows = Map.groupBy(byEffect, ({ effect, remedy }) => JSON.stringify([effect, remedy]))
  return tableOf(
    ['Stock operators', 'Within epochs', 'What to use'],
    [...rows.values()].map((group) => [
      group
        .map(({ operator }) => code(operator))
        .toSorted()
        .join(', '),
      group[0]?.effect ?? '',
      (group[0]?.remedy ?? '').replace(/mapWithState\(context, .*?\)/, 'mapWithState'),
    ]),
  )
}

function jsonBlocks(texts: readonly string[]): string {
  return texts.map((text) => `\`\`\`json\n${text}\n\`\`\``).join('\n\n')
}

/** One message of each version, and what each shape makes of it. */
async function shapeExamples(): Promise<string> {
  const parts: string[] = []
  for (const [version, shown] of [
    ['v1', 0],
    ['v2', 1],
  ] as const) {
    parts.push(`Input version ${version.slice(1)}:`, literal([cases[version][shown]?.value ?? '']))
    for (const shape of shapes) {
      const run = await reconcile(messages(version), { 'reconcile.shape': shape })
      parts.push(`\`reconcile.shape=${shape}\` gives`, literal([run.topic('reconcile').text[shown] ?? '']))
    }
  }
  return parts.join('\n\n')
}

/** Lines as they stand: Prettier formats what it takes for JSON. */
function literal(lines: readonly string[]): string {
  return `\`\`\`text\n${lines.join('\n')}\n\`\`\``
}

/** One message of each code with the sentence that stands in its dead letter. */
async function badMessageTable(): Promise<string> {
  const kinds = [...Map.groupBy(badMessages, ({ code: kind }) => kind).values()].map(([first]) => first)
  const items = kinds.flatMap((kind) => {
    const made = kind?.make(0)
    return made === undefined ? [] : [record(made.value, { key: made.key })]
  })
  const { deadLetters } = await runJob(job, {
    topics: { 'input-topic': items },
    tables,
    settings: { 'reconcile.wait': 'ordered' },
  })
  return tableOf(
    ['Message', 'Code', 'Error'],
    deadLetters.map(({ originalMessage, code: kind, error }) => [
      code(visible(originalMessage ?? 'null')),
      code(kind),
      error,
    ]),
  )
}

function visible(text: string): string {
  const shown = text.replaceAll('\ufeff', '<BOM>').replaceAll('\n', ' ')
  return shown.length > 110 ? `${shown.slice(0, 110)}…` : shown
}

async function deadLetterExample(): Promise<string> {
  const message = '{"keyspace":"ks1","tableName":"usres","pk":"123","payload":null}'
  const run = await reconcile([
    record(message, { key: 'k1', headers: [['trace', 'abc']], timestamp: 1_769_846_400_000 }),
  ])
  const [letter] = run.topic('reconcile-dlq').records
  const headers = (letter?.headers ?? []).map(([name, value]) => [code(name), code(value?.toString() ?? '')])
  return [
    literal([`key    ${letter?.key?.toString() ?? ''}`, `value  ${letter?.raw?.toString() ?? ''}`]),
    tableOf(['Header', 'Value'], headers),
  ].join('\n\n')
}
