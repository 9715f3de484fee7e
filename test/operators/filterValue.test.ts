import { expect, it } from 'vitest'
import { of } from 'rxjs'
import { filterValue } from '../../operators/filterValue.ts'
import type { StreamRecord } from '../../src/core/record.ts'
import { sampleRecord } from '../support/sampleRecord.ts'

it('filterValue passes on the records whose value it keeps, as they are, and narrows their type', async () => {
  const records = [null, 'a', '', 'b'].map((text, offset) => sampleRecord(text, { offset }))
  const kept: StreamRecord<Buffer>[] = []
  await of(...records)
    .pipe(
      filterValue((value) => value !== null),
      filterValue((value, { offset }) => value.length > 0 && offset < 3),
    )
    .forEach((each) => kept.push(each))
  expect(kept).toEqual([records[1]])
})
