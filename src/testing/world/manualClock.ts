import { setImmediate, setTimeout } from 'node:timers'
import type { Clock, Timer } from '../../core/ports/clock.ts'
import { TidemarkError } from '../../core/errors.ts'
import { MachineWatch, machineHint } from '../kit/machineWatch.ts'

/** setTimeout fires at once beyond this, so a clock for tests must not hide such a delay. */
const maxDelayMs = 2 ** 31 - 1

/** More `soon` callbacks in a row than any test needs: something calls itself for ever. */
const maxTurns = 1_000_000

/** How long, in real ms, `runUntil` lets the world outside (files, sockets) answer when nothing else can happen. */
const outsideMs = 1_000

/** Real seconds that are waited in vain for calls of the job, by one clock. */
const mostInVain = 3

interface PendingTimer {
  readonly dueMs: number
  readonly order: number
  readonly callback: () => void
}

/**
 * A clock that moves only when it is told to. Timers and the monotonic reading move together; what the wall clock says can
 * be set apart from them by `jump`.
 *
 * Timers fire in order of their time, and of their making where that is equal. `soon` is the real setImmediate: what yields
 * with it makes progress whenever the test awaits anything, while no virtual time passes. In a test in memory nothing
 * comes from outside, so the order of all steps is the same in every run.
 *
 * Before each timer, all promise reactions and `soon` callbacks have run, those they cause included. Real I/O is waited for
 * only where a lookup function of the job waits for it, and for a real second at most.
 */
export class ManualClock implements Clock {
  readonly machineCalls: MachineWatch = new MachineWatch()
  readonly #machine: 'wait' | 'refuse'
  /** How often a call was waited for in vain. */
  #vain = 0
  #monotonicMs = 0
  /** The wall clock minus the monotonic one. */
  #wallMs: number
  #order = 0
  /** Sorted by time, then by order. */
  readonly #timers: PendingTimer[] = []
  #soonPending = 0
  #moving = false

  /**
   * @param startMs what `now` says at first, ms since 1970; default 0.
   * @param machine what happens when a function of the job waits for the machine: it is waited for before time passes, for a
   *   real second (default), or refused with `machine-clock`, where every run must be the same.
   */
  constructor(startMs = 0, { machine = 'wait' }: { readonly machine?: 'wait' | 'refuse' } = {}) {
    this.#wallMs = startMs
    this.#machine = machine
  }

  now(): number {
    return this.#monotonicMs + this.#wallMs
  }

  monotonicMs(): number {
    return this.#monotonicMs
  }

  /** Sets the wall clock forward, or back where `ms` is negative, as a time server does. No time passes. */
  jump(ms: number): void {
    this.#wallMs += ms
  }

  after(delayMs: number, callback: () => void): Timer {
    if (!(delayMs <= maxDelayMs)) {
      throw new TidemarkError(
        'invalid-argument',
        `A timer of ${String(delayMs)} ms cannot be set: the machine's timers take at most ${String(maxDelayMs)} ms and fire at once beyond that.`,
      )
    }
    const timer = { dueMs: this.#monotonicMs + Math.max(0, delayMs), order: this.#order, callback }
    this.#order += 1
    this.#timers.splice(this.#indexOf(timer), 0, timer)
    return {
      cancel: () => {
        const index = this.#indexOf(timer)
        if (this.#timers[index] === timer) this.#timers.splice(index, 1)
      },
    }
  }

  soon(callback: () => void): void {
    this.#soonPending += 1
    setImmediate(() => {
      this.#soonPending -= 1
      callback()
    })
  }

  /** Timers that wait; a test asserts 0 at its end to find leaked ones. */
  get pending(): number {
    return this.#timers.length
  }

  /** When the next timer is due, by the monotonic reading, or null. */
  get nextDueMs(): number | null {
    return this.#timers[0]?.dueMs ?? null
  }

  /** Lets `ms` pass, and everything due in it happen. */
  advance(ms: number): Promise<void> {
    const targetMs = this.#monotonicMs + ms
    return this.#move(async () => {
      for (let due = await this.#nextDue(); due !== null && due <= targetMs; due = await this.#nextDue()) {
        await this.#fireNext()
      }
      this.#monotonicMs = targetMs
    })
  }

  /**
   * Lets time pass until no timer waits.
   *
   * @throws `no-end` after `maxTimers` timers (default 100,000): one that sets itself again never ends.
   */
  runAll(maxTimers = 100_000): Promise<void> {
    return this.#move(async () => {
      for (let fired = 0; (await this.#nextDue()) !== null; fired += 1) {
        if (fired >= maxTimers) throw endless(`${String(maxTimers)} timers have fired and more are waiting`)
        await this.#fireNext()
      }
    })
  }

  /**
   * Lets as much time pass as the promise needs, and no more: whenever nothing can happen now, the next timer fires.
   *
   * @param maxMs virtual time after which it gives up; default one day.
   * @throws `no-end` when the promise waits and neither a timer nor, for a real second, anything outside ends it; or
   *   after `maxMs`.
   */
  async runUntil<T>(promise: Promise<T>, maxMs = 86_400_000): Promise<T> {
    const limitMs = this.#monotonicMs + maxMs
    let settled = false
    const settle = (): void => {
      settled = true
    }
    promise.then(settle, settle)
    await this.#move(async () => {
      let waitedMs = 0
      while (!settled) {
        const due = await this.#nextDue()
        if (settled) break
        if (due !== null && due > limitMs) throw endless(`it has not ended after ${String(maxMs)} ms of virtual time`)
        if (due !== null) {
          waitedMs = 0
          await this.#fireNext()
        } else if (waitedMs < outsideMs) {
          waitedMs += 1
          await new Promise((resolve) => setTimeout(resolve, 1))
          await this.settle()
        } else throw endless('what is waited for depends on no timer of this clock')
      }
    })
    return promise
  }

  /** Lets everything happen that needs no time. */
  async settle(): Promise<void> {
    // One turn at least: it also ends all promise reactions that are under way.
    for (let turns = 0; turns === 0 || this.#soonPending > 0; turns += 1) {
      if (turns >= maxTurns) throw endless('callbacks of soon() keep calling soon()')
      await new Promise<void>((resolve) => {
        setImmediate(resolve)
      })
    }
  }

  async #move(step: () => Promise<void>): Promise<void> {
    if (this.#moving) {
      throw new TidemarkError(
        'invalid-argument',
        'The clock is being moved already. Await advance(), runAll() or runUntil() before the next call, and do not call them from a timer.',
      )
    }
    this.#moving = true
    try {
      await this.settle()
      await step()
      await this.settle()
    } finally {
      this.#moving = false
      this.machineCalls.rest()
    }
  }

  /** When the next timer is due, once no call of the job waits for the machine any more, or has been waited for in vain. */
  async #nextDue(): Promise<number | null> {
    const calls = this.machineCalls
    if (this.#machine === 'refuse' && calls.isUsed) {
      throw new TidemarkError('machine-clock', `A lookup function cannot be run here. ${machineHint}`)
    }
    if (this.#vain >= mostInVain || !calls.isWaiting) return this.nextDueMs
    for (let waitedMs = 0; calls.isWaiting && waitedMs < outsideMs;) {
      const { ended } = calls
      await new Promise((resolve) => setTimeout(resolve, 1))
      await this.settle()
      waitedMs = calls.ended === ended ? waitedMs + 1 : 0
    }
    if (calls.isWaiting) {
      this.#vain += 1
      calls.giveUp()
    }
    return this.nextDueMs
  }

  async #fireNext(): Promise<void> {
    const timer = this.#timers.shift()
    if (timer === undefined) return
    this.#monotonicMs = Math.max(this.#monotonicMs, timer.dueMs)
    timer.callback()
    await this.settle()
  }

  /** Where the timer stands, or belongs. */
  #indexOf(timer: PendingTimer): number {
    let low = 0
    let high = this.#timers.length
    while (low < high) {
      const middle = (low + high) >>> 1
      const other = this.#timers[middle]
      if (other === undefined) break
      if (other.dueMs < timer.dueMs || (other.dueMs === timer.dueMs && other.order < timer.order)) low = middle + 1
      else high = middle
    }
    return low
  }
}

function endless(why: string): TidemarkError {
  return new TidemarkError('no-end', `The clock stops, because ${why}.`)
}
