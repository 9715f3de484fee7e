import { describe, expect, test } from 'vitest'
import { damageKinds } from '../support/damage/randomDamage.ts'
import { runTrials, sumOf } from '../support/damage/runTrials.ts'

const trials = 1_000

describe('1,000 random damages', () => {
  test(
    'of an embedded store leave the answer what it was, or are refused, and what is salvaged was written',
    {
      timeout: 180_000,
    },
    async () => {
      const reports = await Promise.all([9, 10].map((seed) => runTrials('embedded store', trials / 2, seed)))
      expect(reports.flatMap(({ wrong }) => wrong)).toEqual([])
      let all = 0
      let refused = 0
      for (const report of reports) {
        expect(Object.keys(report.outcomes)).toEqual(
          expect.arrayContaining([...damageKinds, 'another store', 'witness']),
        )
        const sum = sumOf(report)
        all += sum.all
        refused += (sum['corrupt-store'] ?? 0) + (sum['corrupt-store, and salvaged'] ?? 0)
        expect(sum['corrupt-store, and salvaged']).toBeGreaterThan(10)
      }
      expect(all).toBe(trials)
      expect(refused).toBeGreaterThan(trials / 2)
    },
  )
})
