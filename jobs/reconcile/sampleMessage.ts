import type { SampleRecord } from 'tidemark'
import { scatter, type SampleRow, type SampleTable } from './sampleTables.ts'
import type { Action, Verdict } from './shapes.ts'

/** What a good message is made to be: its row matches, differs, is missing, is to be deleted, or is gone already. */
export type Fate = 'matching' | 'differing' | 'missing' | 'deleted' | 'gone' | 'bare'

/** One message about one row. `n` is its place in the sample and decides in which of the many equal ways it is written. */
export interface MessagePlan {
  readonly table: SampleTable
  /** Which row of the table. */
  readonly index: number
  readonly row: SampleRow
  readonly fate: Fate
  readonly n: number
  readonly timestamp: number
}

/** What a good message leads to, known because it was made so. */
export interface SampleResult extends Verdict {
  readonly kind: 'result'
  /** `keyspace.table`. */
  readonly table: string
}

const actions = {
  matching: 'NONE',
  differing: 'UPDATE',
  bare: 'UPDATE',
  missing: 'INSERT',
  deleted: 'DELETE',
  gone: 'NONE',
} as const satisfies Record<Fate, Action>

/** Makes a good message, in one of the input's two versions or as a tombstone. */
export function sampleMessage(plan: MessagePlan): { readonly record: SampleRecord; readonly outcome: SampleResult } {
  const { table, fate, n, timestamp } = plan
  const isDeletion = fate === 'deleted' || fate === 'gone'
  const address = addressOf(plan)
  const { text, differing, ignored } = isDeletion ? noPayload : payloadOf(plan)
  const outcome: SampleResult = { kind: 'result', action: actions[fate], table: tableName(table), differing, ignored }
  // Half of the deletions are tombstones: located by their key alone.
  if (isDeletion && n % 2 === 0) return { record: { key: `{${address}}`, value: null, timestamp }, outcome }
  const value = isOneIn(12, n, 1) ? `{"payload":${text},${address}}` : `{${address},"payload":${text}}`
  const spaced = isOneIn(16, n, 2) ? value.replaceAll(',"', ',\n  "') : value
  return { record: { key: keyOf(plan), value: spaced, timestamp }, outcome }
}

function isOneIn(count: number, n: number, salt: number): boolean {
  return scatter(n, 100 + salt) % count === 0
}

function tableName({ keyspace, table }: SampleTable): string {
  return `${keyspace}.${table}`
}

function keyOf({ table, row }: MessagePlan): string {
  const parts = table.primaryKey.flat().map((column) => JSON.stringify(row[column]).replaceAll('"', ''))
  return [tableName(table), ...parts].join('/')
}

/** The members that say which row is meant. */
function addressOf({ table, index, row, n }: MessagePlan): string {
  const columns = table.primaryKey.flat()
  const isRespelt = isOneIn(2, n, 3)
  const texts = columns.map(
    (column) => (isRespelt ? table.respell[column]?.(index) : undefined) ?? JSON.stringify(row[column]),
  )
  const place = `"keyspace":"${table.keyspace}","tableName":"${table.table}"`
  const [only] = texts
  if (texts.length === 1 && only !== undefined && isOneIn(2, n, 4)) return `${place},"pk":${only}`
  const members = columns.map((column, at) => `"${column}":${texts[at] ?? 'null'}`)
  return `${place},"primaryKey":{${(isOneIn(3, n, 5) ? members.toReversed() : members).join(',')}}`
}

interface Payload extends Pick<Verdict, 'differing' | 'ignored'> {
  readonly text: string
}

const noPayload: Payload = { text: 'null', differing: [], ignored: 0 }

/** Payloads that are no object, and so equal no row. */
const barePayloads = ['"deleted"', '[1,2,3]', '42', 'false', '""']

function payloadOf(plan: MessagePlan): Payload {
  const { table, index, row, fate, n } = plan
  if (fate === 'bare') {
    const text = barePayloads[scatter(n, 99) % barePayloads.length] ?? '""'
    return { text, differing: Object.keys(table.columns), ignored: 0 }
  }
  const altered = fate === 'differing' ? alteredColumns(plan) : new Map<string, string>()
  const isRespelt = isOneIn(3, n, 6)
  const members: string[] = []
  for (const column of namedColumns(plan, altered)) {
    const respelt = isRespelt ? table.respell[column]?.(index) : undefined
    // Of duplicate keys the last wins.
    if (members.length === 0 && isOneIn(60, n, 7)) members.push(`"${column}":"superseded"`)
    members.push(`"${column}":${altered.get(column) ?? respelt ?? JSON.stringify(row[column])}`)
  }
  const extra = fate === 'missing' ? [] : extraFields(scatter(n, 98) % 80)
  return { text: `{${[...members, ...extra].join(',')}}`, differing: [...altered.keys()], ignored: extra.length }
}

/** One or two columns with another value than the row's. */
function alteredColumns({ table, index, n }: MessagePlan): ReadonlyMap<string, string> {
  const altered = new Map<string, string>()
  const from = scatter(n, 97)
  for (let at = from; at <= from + (isOneIn(3, n, 8) ? 1 : 0); at += 1) {
    const [column, text] = table.alter[at % table.alter.length] ?? []
    if (column !== undefined && text !== undefined) altered.set(column, text(index))
  }
  return altered
}

/** Most messages name the columns outside of the key, some all, and some leave one out. */
function namedColumns({ table, n }: MessagePlan, altered: ReadonlyMap<string, string>): readonly string[] {
  const key = new Set(table.primaryKey.flat())
  const isWhole = isOneIn(10, n, 9)
  const columns = Object.keys(table.columns).filter((column) => isWhole || !key.has(column))
  const leftOut = isOneIn(4, n, 10) ? columns[scatter(n, 96) % columns.length] : undefined
  return columns.filter((column) => column !== leftOut || altered.has(column))
}

/** Fields that no table has. */
function extraFields(draw: number): readonly string[] {
  if (draw === 0) return ['"__proto__":{"admin":true}', '"constructor":null']
  if (draw < 8) return ['"source":"crm"']
  return draw < 10 ? ['"source":"import"', '"trace":{"id":"a1","hops":[1,2]}'] : []
}
