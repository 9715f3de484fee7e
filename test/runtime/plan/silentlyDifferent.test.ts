import { expect, it } from 'vitest'
import { silentlyDifferent } from '../../../src/runtime/plan/silentlyDifferent.ts'

it('names the stock operators of a job file that mean something else within epochs, with their remedy', () => {
  const found = silentlyDifferent(`
    import { map, scan as accumulate, switchMap } from 'rxjs'
    import { bufferCount } from 'rxjs/operators'
    // import { distinct } from 'rxjs'
    import { sample } from './mine.ts'
  `)
  expect(found.map(({ operator }) => operator)).toEqual(['scan', 'switchMap', 'bufferCount'])
  expect(found[0]?.remedy).toContain('mapWithState')
})

it('has nothing to say about operators that are right as they stand', () => {
  expect(silentlyDifferent(`import { filter, map, merge, tap, share } from 'rxjs'`)).toEqual([])
})
