import { describe, expect, test } from 'vitest'
import { damageKinds } from '../support/damage/randomDamage.ts'
import { runTrials, sumOf } from '../support/damage/runTrials.ts'

const trials = 1_000

describe('1,000 random damages', () => {
  test('of a store of keyed state leave the answer what it was, or are restored', { timeout: 120_000 }, async () => {
    const report = await runTrials('keyed state', trials, 9)
    expect(report.wrong).toEqual([])
    expect(Object.keys(report.outcomes).toSorted()).toEqual(damageKinds.toSorted())
    const sum = sumOf(report)
    expect(sum.all).toBe(trials)
    expect(sum['restored']).toBeGreaterThan(trials / 2)
  })
})
