import { expect, it } from 'vitest'
import { outputExamples } from '../../src/cli/output/printSummary.ts'
import { TidemarkError } from '../../src/core/errors.ts'
import { sampleRecord } from '../support/sampleRecord.ts'

it('examples are read of the output topics alone, however many others there are, and none of one that is gone', async () => {
  const asked: string[] = []
  const store = {
    describeTopic: (name: string) => {
      asked.push(name)
      if (name === 'gone') return Promise.reject(new TidemarkError('unknown-topic', 'gone'))
      return Promise.resolve({ name, partitions: 2, maxMessageBytes: 1, internal: false, endOffsets: [3, 0] })
    },
    readPage: ({ from }: { readonly from: number }) =>
      Promise.resolve({ records: from === 0 ? [sampleRecord('v', { key: 'k' })] : [], next: 3, end: 3 }),
    listTopics: () => Promise.reject(new Error('all topics of the cluster were asked for')),
  }
  const examples = await outputExamples(store, ['gone', 'results'], 'last')
  expect(asked).toEqual(['gone', 'results'])
  expect(examples).toContainEqual({ topic: 'results', key: 'k', value: 'v' })
  expect(examples.every(({ topic }) => topic === 'results')).toBe(true)
})
