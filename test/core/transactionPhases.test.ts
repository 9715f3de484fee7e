import { describe, expect, test } from 'vitest'
import { TransactionPhases, type TransactionPhase } from '../../src/core/transactionPhases.ts'

const all: readonly TransactionPhase[] = ['open', 'prepared', 'committing', 'committed', 'ended']

/** A transaction that has come so far. */
function reached(phase: TransactionPhase): TransactionPhases {
  const phases = new TransactionPhases()
  const way: readonly TransactionPhase[] = phase === 'ended' ? ['ended'] : all.slice(1, all.indexOf(phase) + 1)
  for (const next of way) phases.enter(next)
  return phases
}

describe('a transaction', () => {
  test.each<[TransactionPhase, readonly TransactionPhase[]]>([
    ['open', ['prepared', 'ended']],
    ['prepared', ['committing', 'ended']],
    ['committing', ['committed', 'ended']],
    ['committed', []],
    ['ended', []],
  ])('that is %s may be %j next, and nothing else', (phase, next) => {
    for (const other of all) {
      const phases = reached(phase)
      const enter = (): void => {
        phases.enter(other)
      }
      if (next.includes(other)) expect(enter).not.toThrow()
      else expect(enter).toThrow(`A transaction that is ${phase} cannot be ${other}`)
    }
  })

  test('takes records only while it is open', () => {
    for (const phase of all) {
      const send = (): void => {
        reached(phase).assertOpen()
      }
      if (phase === 'open') expect(send).not.toThrow()
      else expect(send).toThrow(expect.objectContaining({ code: 'broken-invariant' }))
    }
  })

  test('is over when it is committed or ended', () => {
    expect(all.filter((phase) => reached(phase).over)).toEqual(['committed', 'ended'])
  })

  test('can be given up at any time, and stays committed where it is', () => {
    const given = all.map((phase) => {
      const phases = reached(phase)
      return [phases.giveUp(), phases.current]
    })
    expect(given).toEqual([
      ['open', 'ended'],
      ['prepared', 'ended'],
      ['committing', 'ended'],
      ['committed', 'committed'],
      ['ended', 'ended'],
    ])
  })
})
