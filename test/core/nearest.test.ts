import { expect, test } from 'vitest'
import { didYouMean, nearest } from '../../src/core/nearest.ts'

test('the nearest word is found across small mistakes and case', () => {
  expect(nearest('Reconcile.Gruop', ['reconcile.group', 'reconcile.wait'])).toBe('reconcile.group')
})

test('a word that is far from all others has no nearest one', () => {
  expect(nearest('completely.other', ['reconcile.group'])).toBeNull()
  expect(nearest('x', [])).toBeNull()
  expect(didYouMean('completely.other', ['reconcile.group'], 'See the list.')).toBe('See the list.')
})

test('a huge word costs nothing', () => {
  expect(nearest('x'.repeat(10_000_000), ['reconcile.group'])).toBeNull()
})
