import type { Clock } from '../../core/ports/clock.ts'
import type { FrameworkSettings } from '../settings/frameworkSettings.ts'

/** How failures are answered; the names and the numbers are those of Flink's strategies. */
export type RestartPolicy =
  | { readonly strategy: 'none' }
  /** Stops at failure `attempts` + 1. */
  | { readonly strategy: 'fixed-delay'; readonly attempts: number; readonly delayMs: number }
  /** Stops at failure `maxFailures` + 1 within `intervalMs`. */
  | {
      readonly strategy: 'failure-rate'
      readonly maxFailures: number
      readonly intervalMs: number
      readonly delayMs: number
    }
  /** Never stops: delays double from `delayMs` to `maxDelayMs` and start again after `resetAfterMs` without a failure. */
  | {
      readonly strategy: 'exponential-delay'
      readonly delayMs: number
      readonly maxDelayMs: number
      readonly resetAfterMs: number
    }

/** One failed epoch. Start-up errors, guards and unreachable systems are not failures in this sense. */
export interface TaskFailure {
  /** The task: its group and partition. */
  readonly task: string
  /** What failed; the error's code, so that the number of causes is bounded. */
  readonly cause: string
}

export type RestartDecision =
  | {
      readonly restart: true
      readonly delayMs: number
      /** Counted failures of this task and cause, this one included. */
      readonly failures: number
    }
  | { readonly restart: false; readonly reason: string }

/** Decides after each failure whether its task goes on. */
export interface RestartStrategy {
  /**
   * Counts the failure by task and cause. A failure that comes before the delay of the last one is over belongs to the
   * same trouble: it is not counted, and waits for what is left of that delay.
   */
  onFailure(failure: TaskFailure): RestartDecision
}

/** The policy that the settings describe. */
export function restartPolicy(settings: FrameworkSettings): RestartPolicy {
  const delayMs = settings['restart.delay.ms']
  switch (settings['restart.strategy']) {
    case 'none':
      return { strategy: 'none' }
    case 'fixed-delay':
      return { strategy: 'fixed-delay', attempts: settings['restart.attempts'], delayMs }
    case 'failure-rate':
      return {
        strategy: 'failure-rate',
        maxFailures: settings['restart.failure.rate.max'],
        intervalMs: settings['restart.failure.rate.interval.ms'],
        delayMs,
      }
    case 'exponential-delay':
      return {
        strategy: 'exponential-delay',
        delayMs,
        maxDelayMs: settings['restart.max.delay.ms'],
        resetAfterMs: settings['restart.reset.after.ms'],
      }
  }
}

/** The strategy of one run. It keeps a few numbers for each task and cause, and waits for nothing itself. */
export function createRestartStrategy(policy: RestartPolicy, clock: Clock): RestartStrategy {
  const histories = new Map<string, FailureHistory>()
  return {
    onFailure({ task, cause }) {
      const now = clock.monotonicMs()
      const key = JSON.stringify([task, cause])
      const history = histories.get(key) ?? { failures: 0, times: [], restartAt: now, delayMs: 0 }
      if (now < history.restartAt) {
        return { restart: true, delayMs: history.restartAt - now, failures: history.failures }
      }
      const answer = answerOf(policy, history, now)
      if ('reason' in answer) return { restart: false, reason: `${answer.reason} (task ${task}, ${cause})` }
      histories.set(key, answer)
      return { restart: true, delayMs: answer.delayMs, failures: answer.failures }
    },
  }
}

/** What is known of one task and cause. */
interface FailureHistory {
  /** Failures that count at present. */
  readonly failures: number
  /** Their times; kept for the failure rate only, which bounds their number. */
  readonly times: readonly number[]
  /** When the last restart was due. */
  readonly restartAt: number
  readonly delayMs: number
}

function answerOf(
  policy: RestartPolicy,
  last: FailureHistory,
  now: number,
): FailureHistory | { readonly reason: string } {
  switch (policy.strategy) {
    case 'none':
      return { reason: 'restart.strategy is none' }
    case 'fixed-delay': {
      const { attempts, delayMs } = policy
      const failures = last.failures + 1
      if (failures > attempts) {
        return { reason: `failed ${timesText(failures)}, and restart.attempts is ${String(attempts)}` }
      }
      return { failures, times: [], restartAt: now + delayMs, delayMs }
    }
    case 'failure-rate': {
      const { maxFailures, intervalMs, delayMs } = policy
      const times = [...last.times.filter((time) => now - time < intervalMs), now]
      if (times.length > maxFailures) {
        return {
          reason: `failed ${timesText(times.length)} within ${String(intervalMs)} ms, and restart.failure.rate.max is ${String(maxFailures)}`,
        }
      }
      return { failures: times.length, times, restartAt: now + delayMs, delayMs }
    }
    case 'exponential-delay': {
      const afresh = last.failures === 0 || now - last.restartAt >= policy.resetAfterMs
      const delayMs = Math.min(afresh ? policy.delayMs : last.delayMs * 2, policy.maxDelayMs)
      return { failures: afresh ? 1 : last.failures + 1, times: [], restartAt: now + delayMs, delayMs }
    }
  }
}

function timesText(count: number): string {
  return count === 1 ? 'once' : `${String(count)} times`
}
