import { fc, test as property } from '@fast-check/vitest'
import { expect, test } from 'vitest'
import { TidemarkError } from '../../src/core/errors.ts'
import { LearntRefusals } from '../../src/core/outputRefusal.ts'
import type { Header, OutputRecord } from '../../src/core/record.ts'

const error = new TidemarkError('invalid-output', 'no')

const bytes = fc.option(
  fc.constantFrom('', 'a', 'b', 'ab').map((text) => Buffer.from(text)),
  { nil: null },
)
const header = fc.tuple(fc.constantFrom('', 'a', 'b', 'ab'), bytes).map((pair): Header => pair)
const record: fc.Arbitrary<OutputRecord> = fc.record({
  topic: fc.constantFrom('t', 'u'),
  partition: fc.constantFrom(null, 0, 1),
  key: bytes,
  value: bytes,
  headers: fc.array(header, { maxLength: 3 }),
  timestamp: fc.constantFrom(-1, 0, 1),
})

property.prop([record, record])('a record is found by all that it is made of, and wherever it goes', (one, other) => {
  const refusals = new LearntRefusals()
  refusals.learn(one, error)
  const same = ({ partition: _anywhere, ...rest }: OutputRecord): string => JSON.stringify(rest)
  expect(refusals.find({ ...one, partition: 7 })).toBe(error)
  expect(refusals.find(other)).toBe(same(one) === same(other) ? error : null)
})

test('what was learnt is forgotten with the commit, and bounded', () => {
  const refusals = new LearntRefusals()
  const nth = (n: number): OutputRecord => ({
    topic: 't',
    partition: null,
    key: null,
    value: Buffer.from(String(n)),
    headers: [],
    timestamp: 0,
  })
  for (let n = 0; n < 10_001; n += 1) refusals.learn(nth(n), error)
  expect([refusals.find(nth(9_999)), refusals.find(nth(10_000))]).toEqual([error, null])
  refusals.forget()
  expect(refusals.find(nth(0))).toBeNull()
})
