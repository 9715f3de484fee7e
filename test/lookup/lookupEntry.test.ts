import { describe, expect, it } from 'vitest'
import { LookupEntry, lookupTransitions, type LookupState } from '../../src/lookup/lookupEntry.ts'
import { sampleRecord } from '../support/sampleRecord.ts'

const states = Object.keys(lookupTransitions) as LookupState[]

describe('LookupEntry', () => {
  it.each(states.flatMap((from) => states.map((to) => [from, to] as const)))(
    'goes from %s to %s only by the table',
    (from, to) => {
      const entry = new LookupEntry(sampleRecord(''), 0)
      entry.state = from
      if (lookupTransitions[from].includes(to)) {
        entry.move(to)
        expect(entry.state).toBe(to)
      } else expect(() => entry.move(to)).toThrow(`cannot go from ${from} to ${to}`)
    },
  )

  it('leaves once, and only with an answer or an error', () => {
    expect(states.filter((state) => lookupTransitions[state].includes('left'))).toEqual(['answered', 'refused'])
    expect(lookupTransitions.left).toEqual([])
  })
})
