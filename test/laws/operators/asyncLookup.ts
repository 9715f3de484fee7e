import { asyncLookup } from '../../../operators/asyncLookup.ts'
import type { StreamRecord } from '../../../src/core/record.ts'
import { bug, throwAt, type Lawful } from '../lawful.ts'

function oneByOne(wait: 'ordered' | 'unordered'): Lawful['build'] {
  return (context, throwsAt) => {
    const lookup = (_: unknown, record: StreamRecord): Promise<string> => {
      throwAt(record.offset, throwsAt)
      return Promise.resolve('row')
    }
    return asyncLookup(context, { lookup, wait })
  }
}

export const laws: readonly Lawful[] = [
  { form: 'ordered', build: oneByOne('ordered') },
  { form: 'unordered', build: oneByOne('unordered') },
  {
    form: 'in groups',
    build: (context, throwsAt) => {
      const lookup = {
        name: 'laws',
        lookup: () => Promise.reject(bug),
        lookupMany: (values: readonly unknown[]) =>
          throwsAt >= 0 ? Promise.reject(bug) : Promise.resolve(values.map(() => ({ kind: 'miss' as const }))),
      }
      return asyncLookup(context, { lookup, wait: 'ordered' })
    },
  },
]
