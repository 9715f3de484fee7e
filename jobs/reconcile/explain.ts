import {
  columnTexts,
  JsonNumber,
  requestedKey,
  rowLookupPort,
  sha256Hex,
  TidemarkError,
  type ExplainInput,
  type ExplanationBlock,
  type Row,
} from 'tidemark'
import { decodeRequest, type ReconcileRequest } from './request.ts'
import type { ReconcileSettings } from './settings.ts'
import { verdictOf } from './shapes.ts'

type Input = ExplainInput<ReconcileSettings>

/** The key, the row, the texts that were hashed, and a comparison column by column. */
export async function explainReconciliation(input: Input): Promise<readonly ExplanationBlock[]> {
  const { record, settings } = input
  const request = decodeRequest(record)
  if (request === null) return [{ title: 'Lookup', text: 'none: the message could not be decoded' }]
  const rows = input.open(rowLookupPort)
  const outcome = await rows.lookup(request)
  if (outcome.kind === 'error') return [{ title: 'Lookup', text: `failed: ${outcome.error.message}` }]
  const row = outcome.kind === 'hit' ? outcome.result : null
  const schema = row?.schema ?? rows.schema(request.keyspace, request.tableName)
  const letters = settings['reconcile.hash.case']
  return [
    ...(schema === undefined ? [] : [{ title: 'Key', text: keyText(() => requestedKey(schema, request).keyObject) }]),
    { title: `Row of ${request.keyspace}.${request.tableName}`, text: row?.encoded ?? 'missing' },
    {
      title: 'Hashed texts',
      text: [
        record.raw === null
          ? 'message: none (a tombstone)'
          : `message: ${String(record.raw.length)} bytes, SHA-256 ${sha256Hex(record.raw, letters)}`,
        row === null ? 'row: none' : `row: the text above, SHA-256 ${sha256Hex(row.encoded, letters)}`,
      ].join('\n'),
    },
    { title: 'Comparison', text: comparison(input, request, row) },
  ]
}

function keyText(key: () => string): string {
  try {
    return key()
  } catch (error) {
    if (error instanceof TidemarkError) return error.message
    throw error
  }
}

function comparison(input: Input, request: ReconcileRequest, row: Row | null): string {
  const { action, differing, ignored } = verdictOf(request, row)
  const verdict = `action ${action}`
  const { payload } = request
  if (row === null || payload === null) return verdict
  if (typeof payload !== 'object' || Array.isArray(payload) || payload instanceof JsonNumber) {
    return `the payload is no object, so it never equals a row\n${verdict}`
  }
  const fields = new Map<string, unknown>(Object.entries(payload))
  const lines: string[] = []
  for (const [column, text] of columnTexts(row)) {
    if (!fields.has(column)) {
      lines.push(input.style('dim', `  ${column}: ${text} (the message does not say)`))
      continue
    }
    const said = shown(fields.get(column))
    fields.delete(column)
    if (differing.includes(column)) lines.push(input.style('red', `≠ ${column}: row ${text}, message ${said}`))
    else lines.push(input.style('green', `= ${column}: ${text}`))
  }
  for (const [field, value] of fields)
    lines.push(input.style('dim', `  ${field}: ${shown(value)} (no such column, ignored)`))
  return [...lines, `${verdict}, ${String(differing.length)} differing, ${String(ignored)} ignored`].join('\n')
}

function shown(value: unknown): string {
  if (value instanceof JsonNumber) return value.source
  return JSON.stringify(value) ?? 'nothing'
}
