import { isRight } from 'fp-ts/lib/Either.js'
import * as t from 'io-ts'
import { explainDecode } from '../../../codecs/json/explainDecode.ts'
import type { RowRequest } from '../../../tables/rowLookup.ts'
import { isJsonObject } from '../../../codecs/json/jsonNumber.ts'
import { parseJson } from '../../../codecs/json/parseJson.ts'
import { TidemarkError } from '../../../core/errors.ts'
import { formatPosition, recordBytes, type StreamRecord } from '../../../core/record.ts'
import { listedOffset } from '../store/committedOffsets.ts'
import type { EmbeddedStore } from '../store/embeddedStore.ts'
import { prepareTable, rowPage, tableDescription } from '../store/tableStore.ts'
import type { RowPage } from '../../../core/ports/tables.ts'
import { safeInteger, toWireError, toWireRecord, wireArray, wireError, wireOutputs, wirePage } from './wireCodecs.ts'
import { topicDescription } from '../store/topic.ts'
import { maxAnswerBytes, maxAnswerRecords, refuseManyValues, parseWire } from './wireLimits.ts'

/**
 * What a call does: `write` changes the store, so that asking again may do it twice; `list` reads what is short, names and
 * numbers; `read` reads records or rows, whose answer may be as long as any.
 */
export type CallKind = 'write' | 'list' | 'read'

/** One call of the control socket. */
export interface StoreCall<Request, Response> {
  readonly kind: CallKind
  readonly name: string
  /** The holder's side: JSON in, JSON out. Throws `invalid-argument` for a request of another shape. */
  answer(store: EmbeddedStore, body: string): Promise<string>
  encodeRequest(request: Request): string
  decodeResponse(body: string): Response
}

/** A call by the codecs of both sides, and by what the holder of the directory does. */
function storeCall<Request, Response>(
  kind: CallKind,
  name: string,
  request: t.Type<Request, unknown>,
  response: t.Type<Response, unknown>,
  run: (store: EmbeddedStore, request: Request) => Promise<Response>,
): StoreCall<Request, Response> {
  return {
    kind,
    name,
    async answer(store, body) {
      const asked = decode(request, parseWire(body), `The request ${name}`)
      return JSON.stringify(response.encode(await run(store, asked)))
    },
    encodeRequest: (asked) => JSON.stringify(request.encode(asked)),
    decodeResponse(body) {
      const what = `The answer to ${name}`
      const value = parseWire(body)
      // Looked at first: of many wrong members it names one, where `decode` would make an error of each.
      const wrong = explainDecode(response, value)
      if (wrong !== undefined) throw otherShape(what, wrong)
      return decode(response, value, what)
    },
  }
}

function decode<A>(codec: t.Type<A, unknown>, value: unknown, what: string): A {
  const decoded = codec.decode(value)
  if (isRight(decoded)) return decoded.right
  throw otherShape(what, explainDecode(codec, value))
}

function otherShape(what: string, why = 'it is no JSON'): TidemarkError {
  return new TidemarkError('invalid-argument', `${what} over the control socket has another shape: ${why}`)
}

const topicOptions = t.exact(t.partial({ partitions: t.number, maxMessageBytes: t.number }))

const pageRequest = t.intersection([
  t.strict({ topic: t.string, partition: safeInteger(0), from: safeInteger(0), limit: safeInteger(1) }),
  t.exact(t.partial({ maxBytes: safeInteger(1) })),
])

const rowsRequest = t.strict({
  keyspace: t.string,
  table: t.string,
  after: t.union([t.string, t.null]),
  limit: safeInteger(1),
})

const rowOutcome = t.union([
  t.strict({ kind: t.literal('hit'), keyspace: t.string, table: t.string, encoded: t.string }),
  t.strict({ kind: t.literal('miss') }),
  t.strict({ kind: t.literal('error'), error: wireError }),
])

/** All that can be asked over the control socket. */
export const storeCalls = {
  createTopic: storeCall(
    'write',
    'createTopic',
    t.strict({ name: t.string, options: topicOptions }),
    topicDescription,
    (store, { name, options }) => store.createTopic(name, options),
  ),
  listTopics: storeCall(
    'list',
    'listTopics',
    t.strict({ internal: t.boolean }),
    t.readonlyArray(topicDescription),
    (store, options) => store.listTopics(options),
  ),
  describeTopic: storeCall('list', 'describeTopic', t.strict({ name: t.string }), topicDescription, (store, { name }) =>
    store.describeTopic(name),
  ),
  append: storeCall('write', 'append', wireOutputs, t.number, (store, records) => store.append(records)),
  readPage: storeCall('read', 'readPage', pageRequest, wirePage, async (store, request) => {
    const page = await store.readPage({ ...request, limit: Math.min(request.limit, maxAnswerRecords) })
    const records = fitting(page.records)
    const next =
      records.length === page.records.length ? page.next : (page.records[records.length]?.offset ?? page.next)
    return { records: records.map(toWireRecord), next, end: page.end }
  }),
  committedOffsets: storeCall(
    'list',
    'committedOffsets',
    t.strict({ group: t.string }),
    t.readonlyArray(listedOffset),
    (store, { group }) => store.committedOffsets(group),
  ),
  listTables: storeCall('list', 'listTables', t.strict({}), t.readonlyArray(tableDescription), (store) =>
    store.listTables(),
  ),
  /** `definition` and each row are JSON text. */
  loadRows: storeCall(
    'write',
    'loadRows',
    t.strict({ definition: t.string, rows: wireArray(t.string) }),
    t.number,
    async (store, { definition, rows }) => {
      refuseManyValues([definition, ...rows])
      const json = parseJson(definition, { numbers: 'exact' })
      const parsed = rows.map((row) => parseJson(row, { numbers: 'exact' }))
      await store.tables.load(prepareTable({ ...(isJsonObject(json) ? json : {}), rows: parsed }))
      return rows.length
    },
  ),
  readTable: storeCall('read', 'readTable', rowsRequest, rowPage, readRows),
  /** `request` is the JSON text of a `RowRequest`, so that no digit of a key is lost. */
  getRow: storeCall('read', 'getRow', t.strict({ request: t.string }), rowOutcome, getRow),
}

async function getRow(
  store: EmbeddedStore,
  { request }: { readonly request: string },
): Promise<t.TypeOf<typeof rowOutcome>> {
  refuseManyValues([request])
  const outcome = await store.getRow(rowRequest(parseJson(request, { numbers: 'exact' })))
  switch (outcome.kind) {
    case 'hit': {
      const { schema, encoded } = outcome.result
      refuseLongRow(encoded, schema.keyspace, schema.table)
      return { kind: 'hit', keyspace: schema.keyspace, table: schema.table, encoded }
    }
    case 'miss':
      return outcome
    case 'error':
      return { kind: 'error', error: toWireError(outcome.error) }
  }
}

/** As many records from the first on as an answer may hold. Throws `invalid-argument`. */
function fitting(records: readonly StreamRecord[]): readonly StreamRecord[] {
  let bytes = 0
  const more = records.findIndex((record) => (bytes += recordBytes(record)) > maxAnswerBytes)
  const [first] = records
  if (more !== 0 || first === undefined) return more < 0 ? records : records.slice(0, more)
  throw new TidemarkError(
    'invalid-argument',
    `The record at ${formatPosition(first)} has ${String(recordBytes(first))} bytes, and no more than ${String(maxAnswerBytes)} go over the control socket. Stop the job that holds the directory, and read it then`,
    { details: { topic: first.topic, partition: first.partition, offset: first.offset } },
  )
}

/** As many rows as an answer may hold. Throws `invalid-argument`. */
async function readRows(
  store: EmbeddedStore,
  { keyspace, table, after, limit }: t.TypeOf<typeof rowsRequest>,
): Promise<RowPage> {
  const page = await store.readTable(keyspace, table, { after, limit: Math.min(limit, maxAnswerRecords) })
  const { rows } = page
  const bytes = rows.reduce((sum, row) => sum + Buffer.byteLength(row), 0)
  if (bytes <= maxAnswerBytes) return page
  const [first = ''] = rows
  refuseLongRow(first, keyspace, table)
  // Only the last one can be so long: a page ends with the row that reaches 1 MiB.
  return store.readTable(keyspace, table, { after, limit: rows.length - 1 })
}

function refuseLongRow(row: string, keyspace: string, table: string): void {
  const bytes = Buffer.byteLength(row)
  if (bytes <= maxAnswerBytes) return
  throw new TidemarkError(
    'invalid-argument',
    `A row of table ${keyspace}.${table} has ${String(bytes)} bytes, and no more than ${String(maxAnswerBytes)} go over the control socket. Stop the job that holds the directory, and read it then`,
    { details: { keyspace, table } },
  )
}

function rowRequest(value: unknown): RowRequest {
  if (isJsonObject(value)) {
    const { keyspace, tableName, pk, primaryKey } = value
    if (typeof keyspace === 'string' && typeof tableName === 'string') return { keyspace, tableName, pk, primaryKey }
  }
  throw new TidemarkError('invalid-argument', 'A request for a row names keyspace and tableName')
}
