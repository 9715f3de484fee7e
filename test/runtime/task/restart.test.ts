import { describe, expect, test } from 'vitest'
import type { Clock } from '../../../src/core/ports/clock.ts'
import { createRestartStrategy, restartPolicy, type RestartPolicy } from '../../../src/runtime/task/restart.ts'
import { resolveSettings } from '../../../src/runtime/settings/resolve.ts'

/** Only `monotonicMs` is asked of the clock: the strategy waits for nothing itself. */
class SetClock implements Clock {
  time = 1_000_000
  monotonicMs(): number {
    return this.time
  }
  now(): never {
    throw new Error('not used')
  }
  after(): never {
    throw new Error('not used')
  }
  soon(): never {
    throw new Error('not used')
  }
}

const failure = { task: 'source 0', cause: 'pipeline-failed' }

function started(policy: RestartPolicy) {
  const clock = new SetClock()
  return { clock, strategy: createRestartStrategy(policy, clock) }
}

describe('fixed-delay', () => {
  const policy: RestartPolicy = { strategy: 'fixed-delay', attempts: 3, delayMs: 10_000 }

  test('restarts three times after its delay and stops at the fourth failure', () => {
    const { clock, strategy } = started(policy)
    for (const failures of [1, 2, 3]) {
      expect(strategy.onFailure(failure)).toEqual({ restart: true, delayMs: 10_000, failures })
      clock.time += 10_000
    }
    expect(strategy.onFailure(failure)).toEqual({
      restart: false,
      reason: 'failed 4 times, and restart.attempts is 3 (task source 0, pipeline-failed)',
    })
  })

  test('counts each task and each cause apart', () => {
    const { clock, strategy } = started({ ...policy, attempts: 1 })
    expect(strategy.onFailure(failure).restart).toBe(true)
    expect(strategy.onFailure({ ...failure, task: 'source 1' }).restart).toBe(true)
    expect(strategy.onFailure({ ...failure, cause: 'commit-failed' }).restart).toBe(true)
    clock.time += 10_000
    expect(strategy.onFailure(failure).restart).toBe(false)
  })

  test('counts a failure within the delay of the last one as the same, and waits only for what is left', () => {
    const { clock, strategy } = started(policy)
    strategy.onFailure(failure)
    clock.time += 4000
    for (let i = 0; i < 10; i += 1) {
      expect(strategy.onFailure(failure)).toEqual({ restart: true, delayMs: 6000, failures: 1 })
    }
  })

  test('stops at the first failure when no attempt is allowed', () => {
    expect(started({ ...policy, attempts: 0 }).strategy.onFailure(failure)).toMatchObject({ restart: false })
  })
})

describe('failure-rate', () => {
  const policy: RestartPolicy = { strategy: 'failure-rate', maxFailures: 5, intervalMs: 300_000, delayMs: 30_000 }

  test('stops at the sixth failure within five minutes', () => {
    const { clock, strategy } = started(policy)
    for (let i = 0; i < 5; i += 1) {
      expect(strategy.onFailure(failure)).toMatchObject({ restart: true, delayMs: 30_000 })
      clock.time += 59_000
    }
    expect(strategy.onFailure(failure)).toMatchObject({ restart: false })
  })

  test('goes on for ever when failures are further apart', () => {
    const { clock, strategy } = started(policy)
    for (let i = 0; i < 100; i += 1) {
      expect(strategy.onFailure(failure)).toMatchObject({ restart: true })
      clock.time += 60_001
    }
  })
})

describe('exponential-delay', () => {
  const policy: RestartPolicy = {
    strategy: 'exponential-delay',
    delayMs: 1000,
    maxDelayMs: 60_000,
    resetAfterMs: 600_000,
  }

  test('doubles from the first delay to the longest and never stops', () => {
    const { clock, strategy } = started(policy)
    const delays = Array.from({ length: 9 }, () => {
      const decision = strategy.onFailure(failure)
      const delayMs = decision.restart ? decision.delayMs : -1
      clock.time += delayMs
      return delayMs
    })
    expect(delays).toEqual([1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000, 60_000])
  })

  test('starts small again only after ten healthy minutes since the restart', () => {
    const { clock, strategy } = started(policy)
    strategy.onFailure(failure)
    clock.time += 1000 + 599_999
    expect(strategy.onFailure(failure)).toMatchObject({ delayMs: 2000, failures: 2 })
    clock.time += 2000 + 600_000
    expect(strategy.onFailure(failure)).toMatchObject({ delayMs: 1000, failures: 1 })
  })
})

test('none never restarts', () => {
  expect(started({ strategy: 'none' }).strategy.onFailure(failure)).toMatchObject({ restart: false })
})

describe('restartPolicy', () => {
  const policyOf = (follow: boolean, flags: Record<string, string> = {}): RestartPolicy =>
    restartPolicy(
      resolveSettings({ flags: new Map(Object.entries(flags)), environment: {}, file: null, job: null, follow })
        .framework,
    )

  test('is three restarts a second apart for a bounded run', () => {
    expect(policyOf(false)).toEqual({ strategy: 'fixed-delay', attempts: 3, delayMs: 1000 })
  })

  test('is exponential from 1 s to 60 s with --follow', () => {
    expect(policyOf(true)).toEqual({
      strategy: 'exponential-delay',
      delayMs: 1000,
      maxDelayMs: 60_000,
      resetAfterMs: 600_000,
    })
  })

  test('follows the settings', () => {
    expect(policyOf(true, { 'restart.strategy': 'failure-rate', 'restart.delay.ms': '30s' })).toEqual({
      strategy: 'failure-rate',
      maxFailures: 5,
      intervalMs: 300_000,
      delayMs: 30_000,
    })
    expect(policyOf(true, { 'restart.strategy': 'none' })).toEqual({ strategy: 'none' })
  })
})
