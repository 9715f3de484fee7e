import type { Sample, SampleOptions, SampleRecord } from 'tidemark'
import { badMessages } from './badMessages.ts'
import { sampleMessage, type Fate, type SampleResult } from './sampleMessage.ts'
import { sampleStartMs, sampleTables, scatter, type SampleTable } from './sampleTables.ts'

/** What a message of the sample leads to: a result, or a dead letter with this code. */
export type SampleOutcome = SampleResult | { readonly kind: 'dead-letter'; readonly code: string }

/** How a sample is mixed. Shares are of 1,000 good messages; the rest matches its row. */
interface Mix extends Readonly<Record<Exclude<Fate, 'matching'>, number>> {
  readonly messages: number
  readonly rows: number
  /** One message of so many is bad. */
  readonly badEvery: number
}

const bundled: Mix = {
  messages: 600,
  rows: 420,
  badEvery: 14,
  differing: 130,
  missing: 90,
  deleted: 45,
  gone: 30,
  bare: 8,
}

function generated(messages: number): Mix {
  const rows = Math.max(20, Math.ceil(messages / 5))
  return { messages, rows, badEvery: 100, differing: 30, missing: 80, deleted: 15, gone: 10, bare: 1 }
}

function mixOf({ records }: SampleOptions): Mix {
  return records === null ? bundled : generated(records)
}

/**
 * The input of a first run: messages for `inputTopic` and the tables they are about, the same bytes each time.
 *
 * With `records` null the bundled sample: 600 messages over five tables in two keyspaces, one in 14 bad, in each way a
 * message can be bad. Else that many messages, made while they are read, and a fifth as many rows, which are held in
 * memory until they are loaded (about 0.5 kB a row); 9 of 100 find no row, 3 differ, 1 is bad.
 */
export function reconcileSample(options: SampleOptions, inputTopic: string): Sample {
  const mix = mixOf(options)
  return { topics: { [inputTopic]: sampleRecords(mix) }, tables: sampleTables.map((table) => definition(table, mix)) }
}

/** What each message of the sample leads to, in the order of `reconcileSample`. */
export function* sampleOutcomes(options: SampleOptions): Generator<SampleOutcome> {
  for (const { outcome } of sampleMessages(mixOf(options))) yield outcome
}

function definition(table: SampleTable, mix: Mix): unknown {
  const { keyspace, table: name, columns, primaryKey } = table
  const rows = Array.from({ length: rowsOf(table, mix) }, (_, index) => table.row(index))
  return { keyspace, table: name, columns, primaryKey, rows }
}

function rowsOf({ weight }: SampleTable, { rows }: Mix): number {
  return Math.ceil((rows * weight) / sampleTables.reduce((sum, table) => sum + table.weight, 0))
}

function* sampleRecords(mix: Mix): Generator<SampleRecord> {
  for (const { record } of sampleMessages(mix)) yield record
}

interface SampleMessage {
  readonly record: SampleRecord
  readonly outcome: SampleOutcome
}

function* sampleMessages(mix: Mix): Generator<SampleMessage> {
  // Each table's turns: rows that are there are asked for in a round, those beyond them are not there.
  const turns = sampleTables.map((table) => ({ table, rows: rowsOf(table, mix), hits: 0, misses: 0 }))
  const byWeight = turns.flatMap((turn) => Array.from({ length: turn.table.weight }, () => turn))
  let badCount = 0
  for (let n = 0; n < mix.messages; n += 1) {
    // Somewhat out of order, as producers' clocks are.
    const timestamp = sampleStartMs + n * 137 + (scatter(n, 30) % 187)
    const badPlace = scatter(Math.floor(n / mix.badEvery), 31) % mix.badEvery
    const bad = n % mix.badEvery === badPlace ? badMessages[badCount % badMessages.length] : undefined
    if (bad !== undefined) {
      badCount += 1
      yield { record: { ...bad.make(n), timestamp }, outcome: { kind: 'dead-letter', code: bad.code } }
      continue
    }
    const turn = byWeight[scatter(n, 32) % byWeight.length]
    if (turn === undefined) continue
    const fate = fateOf(mix, scatter(n, 33) % 1000)
    const isMiss = fate === 'missing' || fate === 'gone'
    // A prime step, so that neighbours in the topic are not neighbours in the table.
    const index = isMiss ? turn.rows + turn.misses : (turn.hits * 7919) % turn.rows
    if (isMiss) turn.misses += 1
    else turn.hits += 1
    yield sampleMessage({ table: turn.table, index, row: turn.table.row(index), fate, n, timestamp })
  }
}

function fateOf(mix: Mix, draw: number): Fate {
  let below = 0
  for (const fate of ['differing', 'missing', 'deleted', 'gone', 'bare'] as const) {
    below += mix[fate]
    if (draw < below) return fate
  }
  return 'matching'
}
