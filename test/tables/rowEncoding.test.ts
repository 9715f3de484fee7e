import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { nativeTypeNames } from '../../src/tables/cqlType.ts'
import type { NativeTypeName } from '../../src/tables/cqlType.ts'
import { parseCqlType } from '../../src/tables/parseCqlType.ts'
import { parseTableDefinition } from '../../src/tables/parseTableDefinition.ts'
import { encodeRowKey } from '../../src/tables/primaryKey.ts'
import { encodeRow } from '../../src/tables/row.ts'
import { isJsonObject } from '../../src/codecs/json/jsonNumber.ts'
import { columnConversion } from '../../src/tables/valueCodec.ts'
import { parseJson } from '../../src/codecs/json/parseJson.ts'
import { sha256Hex } from '../../src/codecs/sha256.ts'
import golden from './row-encoding.golden.json' with { type: 'json' }

const documentation = readFileSync(new URL('../../docs/row-encoding.md', import.meta.url), 'utf8')

const hasMember = (value: unknown, name: string): boolean => isJsonObject(value) && Object.hasOwn(value, name)

describe('the golden rows', () => {
  const tables = golden.tables.map(({ encoded, ...definition }) => ({ encoded, ...parseTableDefinition(definition) }))

  test('have a column with a value for every native type', () => {
    const used = new Set(
      tables.flatMap(({ schema, rows }) =>
        [...schema.columns].flatMap(([name, type]) =>
          type.kind === 'native' && hasMember(rows[0], name) ? [type.name] : [],
        ),
      ),
    )
    expect(nativeTypeNames.filter((name: NativeTypeName) => !used.has(name))).toEqual([])
  })

  test('have the texts and hashes on file', () => {
    for (const { schema, rows, encoded } of tables) {
      const texts = rows.map((row) => encodeRow(schema, row))
      expect(texts.map((text) => ({ text, sha256: sha256Hex(text) }))).toEqual(encoded)
    }
  })

  test('can be loaded from their own texts', () => {
    for (const { schema, rows, encoded } of tables) {
      for (const [index, { text }] of encoded.entries()) {
        const row = parseJson(text, { numbers: 'exact' })
        expect(encodeRow(schema, row)).toBe(text)
        expect(encodeRowKey(schema, row).bytes).toEqual(encodeRowKey(schema, rows[index]).bytes)
      }
    }
  })
})

describe('docs/row-encoding.md', () => {
  const examples = [...documentation.matchAll(/^\| `(.+?)` +\| `(.+?)` +\| `(.+?)` +\|$/gm)].map(
    ([, type = '', read = '', written = '']) => ({ type, read, written }),
  )

  test('has an example of every native type', () => {
    const shown = new Set(examples.map(({ type }) => type))
    expect(['varchar', ...nativeTypeNames].filter((name) => !shown.has(name))).toEqual([])
  })

  test.each(examples)('says rightly that $read as $type is written $written', ({ type, read, written }) => {
    const convert = columnConversion(parseCqlType(type))
    expect(convert(parseJson(read, { numbers: 'exact' }))).toBe(written)
    expect(convert(parseJson(written, { numbers: 'exact' }))).toBe(written)
  })

  test('shows a row with its right hash', () => {
    const [, text = '', hash = ''] =
      /printf '%s' '(.+?)' \| sha256sum\n# ([0-9a-f]{64}) {2}-\n/.exec(documentation) ?? []
    expect(sha256Hex(text, 'lower')).toBe(hash)
    const columns = { user_id: 'bigint', region: 'text', name: 'text', age: 'int' }
    const definition = { keyspace: 'app', table: 'users', columns, primaryKey: [['user_id'], ['region']], rows: [] }
    const { schema } = parseTableDefinition(definition)
    expect(encodeRow(schema, { user_id: 123, region: 'us-east', name: 'Zoë', age: 34 })).toBe(text)
  })
})
