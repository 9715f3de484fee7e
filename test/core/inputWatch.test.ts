import { beforeEach, describe, expect, test } from 'vitest'
import { TidemarkError } from '../../src/core/errors.ts'
import { InputWatch } from '../../src/core/inputWatch.ts'
import { ManualClock } from '../../src/testing/world/manualClock.ts'

describe('the inputs of a group', () => {
  let clock: ManualClock
  let looks: number
  let failure: TidemarkError | null
  let told: string[]
  let watch: InputWatch

  beforeEach(() => {
    clock = new ManualClock()
    looks = 0
    failure = null
    told = []
    watch = new InputWatch({
      clock,
      inputs: [
        { kind: 'pattern', pattern: /^orders-/ },
        { kind: 'topics', topics: ['payments'] },
      ],
      intervalMs: 10_000,
      look: async () => {
        looks += 1
        if (failure !== null) throw failure
      },
      failed: ({ code }) => told.push(`failed: ${code}`),
      delayed: ({ code }) => told.push(`delayed: ${code}`),
    })
  })

  test('are looked at from time to time from the beginning on, sooner where that is asked for, and not after the end', async () => {
    await clock.advance(30_000)
    expect(looks).toBe(0)
    watch.begin()
    watch.begin()
    await clock.advance(20_500)
    expect(looks).toBe(2)
    watch.lookIn(500)
    await clock.advance(500)
    expect(looks).toBe(3)
    await clock.advance(9_999)
    expect(looks).toBe(3)
    watch.end()
    watch.lookIn(500)
    await clock.advance(30_000)
    expect(looks).toBe(3)
  })

  test('are looked at in different moments by processes that spread them', async () => {
    const spread = new InputWatch({
      clock,
      inputs: [],
      intervalMs: 10_000,
      spread: () => 0.75,
      look: async () => {
        looks += 1
      },
      failed: () => undefined,
    })
    spread.begin()
    await clock.advance(7_499)
    expect(looks).toBe(0)
    await clock.advance(1)
    expect(looks).toBe(1)
  })

  test('are looked at when one is missing that only a pattern has chosen, and not more than once a second', async () => {
    watch.begin()
    expect(watch.isMissing('orders-eu')).toBe(true)
    await clock.advance(0)
    expect(looks).toBe(1)
    expect([watch.isMissing('orders-eu'), watch.isMissing('payments')]).toEqual([true, false])
    await clock.advance(999)
    expect(looks).toBe(1)
    await clock.advance(1)
    expect(watch.isMissing('orders-us')).toBe(true)
    await clock.advance(0)
    expect(looks).toBe(2)
  })

  test('may not be missing any more once the last look has found that one lacks', async () => {
    watch.begin()
    failure = new TidemarkError('unknown-topic', 'none is left')
    expect(watch.isMissing('orders-eu')).toBe(true)
    await clock.advance(0)
    expect(watch.isMissing('orders-eu')).toBe(false)
    failure = null
    await clock.advance(10_000)
    expect(watch.isMissing('orders-eu')).toBe(true)
  })

  test('that cannot be looked at are told of once, until they can; those that cannot be used stop the group', async () => {
    watch.begin()
    failure = new TidemarkError('system-unreachable', 'nobody answers')
    await clock.advance(20_000)
    failure = null
    await clock.advance(10_000)
    failure = new TidemarkError('system-unreachable', 'nobody answers')
    await clock.advance(10_000)
    failure = new TidemarkError('partitions-changed', 'it has grown')
    await clock.advance(10_000)
    expect(looks).toBe(5)
    expect(told).toEqual(['delayed: system-unreachable', 'delayed: system-unreachable', 'failed: partitions-changed'])
  })
})
