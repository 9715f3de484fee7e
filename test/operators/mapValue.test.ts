import { expect, it } from 'vitest'
import { of } from 'rxjs'
import { mapValue } from '../../operators/mapValue.ts'
import type { StreamRecord } from '../../src/core/record.ts'
import { sampleRecord } from '../support/sampleRecord.ts'

it('mapValue maps the value and keeps everything else of the record', async () => {
  const record = sampleRecord('7', { key: 'k', offset: 3 })
  const mapped: StreamRecord<number>[] = []
  await of(record)
    .pipe(mapValue((value, { offset }) => Number(value?.toString()) + offset))
    .forEach((each) => mapped.push(each))
  expect(mapped).toEqual([record.withValue(10)])
})
