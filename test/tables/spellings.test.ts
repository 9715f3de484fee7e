import { expect, test } from 'vitest'
import { parseCqlType } from '../../src/tables/parseCqlType.ts'
import { columnConversion } from '../../src/tables/valueCodec.ts'
import { parseJson } from '../../src/codecs/json/parseJson.ts'
import { spellings } from './spellings.ts'

test.each(spellings)('$json as $type is read as Cassandra reads it, or as docs/row-encoding.md says', (spelling) => {
  const { type, json, cassandra, ours = cassandra } = spelling
  expect(columnConversion(parseCqlType(type))(parseJson(json, { numbers: 'exact' })) ?? null).toBe(ours)
})
