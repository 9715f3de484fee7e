import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { MutatedCopy } from './mutatedCopy.ts'
import { mutations } from './mutations.ts'

describe('mutations that no suite saw once', () => {
  let copy: MutatedCopy
  beforeAll(() => {
    copy = new MutatedCopy()
  })
  afterAll(() => {
    copy.close()
  })

  // All of them: npm run proof -- mutations
  test.each(mutations.filter(({ always }) => always === true).map((mutation) => [mutation.name, mutation] as const))(
    '%s: is seen by its suite',
    (_name, mutation) => {
      const { caught, said } = copy.try(mutation)
      // What the suite said, where it saw nothing.
      expect(caught ? '' : said).toBe('')
    },
    130_000,
  )
})
