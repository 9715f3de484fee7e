import { expect, test } from 'vitest'
import { alignColumns } from '../../../src/cli/output/printer.ts'

test('columns are as wide as their widest cell, and lines end without spaces', () => {
  expect(alignColumns([['a', 'bb', 'c'], ['aaa', 'b'], []])).toEqual(['a    bb  c', 'aaa  b', ''])
})
