import path from 'node:path'
import type { Command } from 'commander'
import { decodeJsonText } from '../../codecs/json/decodeJsonText.ts'
import { parseJson } from '../../codecs/json/parseJson.ts'
import { TidemarkError, messageOf } from '../../core/errors.ts'
import { didYouMean } from '../../core/nearest.ts'
import { tablesPort, type TableDescription, type Tables } from '../../core/ports/tables.ts'
import { integer } from '../../core/settingCodecs.ts'
import { visible, visibleJson } from '../../core/visible.ts'
import { inputChunks } from '../cliIo.ts'
import { optionValue, withCommonOptions, type CommandContext, type CommonOptions } from '../commandContext.ts'
import { namesUnder, withClient } from '../openWorld.ts'

const pageRows = 1000

/** `tidemark table load | read | list`. */
export function addTableCommand(program: Command, context: CommandContext): void {
  const { titles, places, local } = namesUnder(context.systems, tablesPort)
  const table = program
    .command('table')
    .summary('load, read and list tables')
    .description(
      `Works on the ${local} tables, whether a job is running on them or not; with ${places} set, on those\nof ${titles}.`,
    )
  addLoad(table, context)
  addRead(table, context)
  addList(table, context)
}

function addLoad(table: Command, context: CommandContext): void {
  withCommonOptions(table.command('load'))
    .argument('<file>', 'JSON file with one table, or - for the standard input')
    .summary('make a table and put rows into it')
    .description(
      'Loads one table and its rows; a row with the key of one that is there replaces it. The whole file is checked\nbefore anything is stored.',
    )
    .addHelpText(
      'after',
      `
The file:
  {
    "keyspace": "shop",
    "table": "users",
    "columns": { "id": "bigint", "name": "text", "seen": "timestamp" },
    "primaryKey": [["id"], []],
    "rows": [{ "id": "1", "name": "Ada", "seen": "2026-11-01T08:00:00.000Z" }]
  }
primaryKey is [[partition columns], [clustering columns]]; docs/row-encoding.md has the JSON form of each type.

Example:
  tidemark table load users.json`,
    )
    .action(async (file: string, options: CommonOptions) => {
      const { io, out } = context
      const chunks: Buffer[] = []
      for await (const chunk of inputChunks(io, file)) chunks.push(chunk)
      const json = parseFile(Buffer.concat(chunks), file)
      const rows = await withClient(context, options, { port: tablesPort, purpose: 'write' }, (tables) =>
        tables.loadTable(json),
      )
      await out.line(
        `Loaded ${String(rows)} ${rows === 1 ? 'row' : 'rows'} from ${path.relative(io.directory, path.resolve(io.directory, file)) || file}.`,
      )
    })
}

function parseFile(bytes: Buffer, file: string): unknown {
  try {
    return parseJson(decodeJsonText(withoutByteOrderMark(bytes)), { numbers: 'exact' })
  } catch (error) {
    throw new TidemarkError('invalid-input', `${file} is not a table in JSON. ${messageOf(error)}`, { cause: error })
  }
}

/** In a message it is an error; before a file it only says that the file is UTF-8. */
function withoutByteOrderMark(bytes: Buffer): Buffer {
  return bytes.toString('hex', 0, 3) === 'efbbbf' ? bytes.subarray(3) : bytes
}

function addRead(table: Command, context: CommandContext): void {
  withCommonOptions(table.command('read'))
    .argument('<keyspace.table>', 'table')
    .option('--limit <count>', 'print at most so many rows', optionValue(integer({ min: 0 })))
    .summary('print rows')
    .description(
      'Prints rows in the row encoding, one a line: canonical JSON, the very text that cass_hash is taken over.',
    )
    .addHelpText('after', '\nExample:\n  tidemark table read shop.users --limit 10')
    .action(async (name: string, options: CommonOptions & { readonly limit?: number }) => {
      const { out } = context
      await withClient(context, options, { port: tablesPort, purpose: 'read' }, async (tables) => {
        const { keyspace, table: tableName } = await findTable(tables, name)
        const print = out.isTerminal ? visibleJson : (row: string) => row
        let left = options.limit ?? Infinity
        let after: string | null = null
        while (left > 0) {
          const place: { readonly after: string | null; readonly limit: number } = {
            after,
            limit: Math.min(pageRows, left),
          }
          const page = await tables.readTable(keyspace, tableName, place)
          await out.data(Buffer.from(page.rows.map((row) => `${print(row)}\n`).join('')))
          left -= page.rows.length
          if (page.next === null) return
          after = page.next
        }
      })
    })
}

/** Names may hold dots, so the tables that there are say where the keyspace ends. */
async function findTable(all: Tables, name: string): Promise<TableDescription> {
  const tables = await all.listTables()
  const found = tables.find((table) => nameOf(table) === name)
  if (found !== undefined) return found
  const hint = didYouMean(name, tables.map(nameOf), '`tidemark table list` lists the tables.')
  throw new TidemarkError('invalid-input', `There is no table ${visible(name)}. ${hint}`)
}

function nameOf({ keyspace, table }: TableDescription): string {
  return `${keyspace}.${table}`
}

function addList(table: Command, context: CommandContext): void {
  withCommonOptions(table.command('list'))
    .summary('list tables with keys and columns')
    .action(async (options: CommonOptions) => {
      const { out, err } = context
      const tables = await withClient(context, options, { port: tablesPort, purpose: 'read' }, (client) =>
        client.listTables(),
      )
      if (tables.length === 0) {
        await err.line('There are no tables yet.')
        return
      }
      const rows = tables.map((description) => [
        nameOf(description),
        keyText(description),
        description.columns.map(([name, type]) => `${name} ${type}`).join(', '),
      ])
      await out.table(['TABLE', 'PRIMARY KEY', 'COLUMNS'], rows)
    })
}

/** As CQL writes it: `((user_id, region), seen)`. */
function keyText({ partitionKey, clusteringKey }: TableDescription): string {
  const partition = partitionKey.length === 1 ? partitionKey.join('') : `(${partitionKey.join(', ')})`
  return `(${[partition, ...clusteringKey].join(', ')})`
}
