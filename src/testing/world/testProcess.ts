import type { Clock, Timer } from '../../core/ports/clock.ts'
import { asTidemarkError, TidemarkError } from '../../core/errors.ts'

/** Where in a call to the outside a process dies: before it took effect, or after it did and before the answer came. */
export type CrashPoint = 'before' | 'after'

/** What becomes of one call to the outside. All times are virtual ms; absent ones are none at all. */
export interface CallFate {
  readonly crash?: CrashPoint
  /** Until the call takes effect. */
  readonly requestMs?: number
  /** The request is on its way until this resolves, and `requestMs` more. */
  readonly held?: Promise<void>
  /** From the effect to the answer. */
  readonly answerMs?: number
  /** The request never arrives, or the answer does not; after both times the call fails instead. */
  readonly lost?: 'request' | 'answer'
  /** What a lost call fails with; default `system-unreachable`. */
  readonly error?: TidemarkError
  /** The request arrives a second time, so many ms after the first. */
  readonly againMs?: number
  /** The process stands still for so long from the moment of the call: before the request goes out, or after. */
  readonly freeze?: { readonly point: CrashPoint; readonly ms: number }
  /** There is no answer, ever, and no effect. */
  readonly silent?: boolean
}

export interface TestProcessOptions {
  readonly clock: Clock
  /** Asked at every call to the log, the local state or a table, in order; the index counts from 0. */
  readonly crashAt?: (call: string, index: number) => CrashPoint | null
  /** The whole fate of each call; instead of `crashAt`. */
  readonly fate?: (call: string, index: number, subject: unknown) => CallFate
}

/**
 * One run of a job's process, which can die at any moment as by kill -9: from then on none of its timers fire, no call of
 * its gets an answer, and nothing it does reaches the world, except what was on its way already. No close or finally code
 * runs, because nothing it waits for ever ends.
 *
 * It can also freeze, as in a long collection of garbage or on a machine that is suspended: whatever is due then comes
 * when it thaws, and meanwhile the world goes on without it.
 */
export class TestProcess {
  /** The process's own clock: what it says of the day may be wrong by `jump`; durations and timers are right. */
  readonly clock: Clock
  /** Resolves with the reason when the process has died; else never. */
  readonly crashed: Promise<string>
  /** True when calls have fates: then what arrives from outside takes its time as well. */
  readonly hasFates: boolean
  readonly #world: Clock
  readonly #fate: (call: string, index: number, subject: unknown) => CallFate
  readonly #timers: Set<Timer> = new Set<Timer>()
  #calls = 0
  #alive = true
  #frozenUntilMs = -Infinity
  #due: (() => void)[] = []
  #wrongByMs = 0
  #announceCrash: (why: string) => void = () => undefined

  constructor({ clock, crashAt, fate }: TestProcessOptions) {
    this.#world = clock
    this.hasFates = fate !== undefined
    this.#fate =
      fate ??
      ((call, index) => {
        const crash = crashAt?.(call, index) ?? null
        return crash === null ? untroubled : { crash }
      })
    this.clock = this.#ownClock()
    this.crashed = new Promise((resolve) => {
      this.#announceCrash = resolve
    })
  }

  get alive(): boolean {
    return this.#alive
  }

  get frozen(): boolean {
    return this.#world.monotonicMs() < this.#frozenUntilMs
  }

  /** Calls to the outside so far. */
  get calls(): number {
    return this.#calls
  }

  /** Dies. */
  kill(why: string): void {
    if (!this.#alive) return
    this.#alive = false
    this.#due = []
    for (const timer of this.#timers) timer.cancel()
    this.#timers.clear()
    this.#announceCrash(why)
  }

  /** Stands still for so long. */
  freeze(ms: number): void {
    const untilMs = this.#world.monotonicMs() + ms
    if (untilMs <= this.#frozenUntilMs) return
    this.#frozenUntilMs = untilMs
    this.#world.after(ms, () => {
      this.#thaw()
    })
  }

  /** Sets the process's wall clock forward, or back where `ms` is negative, as a time server does. */
  jump(ms: number): void {
    this.#wrongByMs += ms
  }

  /** The only way in: the callback runs now, when the process thaws, or never where it is dead. */
  enter(callback: () => void): void {
    if (!this.#alive) return
    if (this.frozen || this.#due.length > 0) this.#due.push(callback)
    else callback()
  }

  /**
   * A call to the outside: everything the world does for this process goes through here.
   *
   * @param subject what it is about, for whoever decides its fate.
   */
  call<T>(name: string, act: () => T | Promise<T>, subject?: unknown): Promise<T> {
    if (!this.#alive) return unanswered()
    const fate = this.#fate(name, this.#calls, subject)
    this.#calls += 1
    const why = `at ${name}, call ${String(this.#calls - 1)}`
    if (fate.crash === 'before') {
      this.kill(`before it took effect, ${why}`)
      return unanswered()
    }
    if (fate.silent === true) return unanswered()
    if (this.hasFates) return this.#travel(name, act, fate, why)
    return this.#answer(act, fate.crash === 'after' ? `after it took effect, ${why}` : null)
  }

  async #answer<T>(act: () => T | Promise<T>, crash: string | null): Promise<T> {
    const answer = await act()
    if (crash !== null) this.kill(crash)
    return this.#alive ? answer : unanswered()
  }

  /** The call goes its way through the world, which does not ask whether the process still lives. */
  #travel<T>(name: string, act: () => T | Promise<T>, fate: CallFate, why: string): Promise<T> {
    const { requestMs = 0, answerMs = 0, held, lost, againMs, freeze } = fate
    // A write of a dead process never reaches its disk; what it has sent does arrive.
    const local = name.startsWith('state.')
    if (freeze !== undefined) this.freeze(freeze.ms)
    return new Promise((resolve, reject) => {
      const answer = (deliver: () => void): void => {
        this.#wait(answerMs, () => {
          this.enter(deliver)
        })
      }
      const arrive = (): void => {
        if (local && !this.#alive) return
        if (lost === 'request') {
          answer(() => {
            reject(fate.error ?? unreachable(name))
          })
          return
        }
        const outcome = new Promise<T>((settle) => {
          settle(act())
        })
        if (againMs !== undefined && !local) this.#repeat(act, againMs)
        outcome.then(
          (value) => {
            if (fate.crash === 'after') this.kill(`after it took effect, ${why}`)
            answer(() => {
              if (lost === 'answer') reject(fate.error ?? unreachable(name))
              else resolve(value)
            })
          },
          (error: unknown) => {
            if (fate.crash === 'after') this.kill(`after it was refused, ${why}`)
            answer(() => {
              reject(asTidemarkError(error, 'broken-invariant', `${name} failed`))
            })
          },
        )
      }
      const send = (): void => {
        if (held === undefined) this.#wait(requestMs, arrive)
        else {
          void held.then(() => {
            this.#wait(requestMs, arrive)
          })
        }
      }
      if (freeze?.point === 'before') this.enter(send)
      else send()
    })
  }

  /** A request that arrives twice: nobody waits for what comes of the second. */
  #repeat<T>(act: () => T | Promise<T>, afterMs: number): void {
    this.#world.after(afterMs, () => {
      new Promise<T>((settle) => {
        settle(act())
      }).catch(() => undefined)
    })
  }

  #wait(ms: number, callback: () => void): void {
    if (ms > 0) this.#world.after(ms, callback)
    else callback()
  }

  #thaw(): void {
    if (!this.#alive || this.frozen) return
    const next = this.#due[0]
    if (next === undefined) return
    next()
    this.#due.shift()
    // One after the other, with all that each causes between them.
    if (this.#due.length > 0) {
      this.#world.after(0, () => {
        this.#thaw()
      })
    }
  }

  #ownClock(): Clock {
    const world = this.#world
    return {
      now: () => world.now() + this.#wrongByMs,
      monotonicMs: () => world.monotonicMs(),
      after: (delayMs, callback) => {
        if (!this.#alive) return { cancel: () => undefined }
        let cancelled = false
        const timer = world.after(delayMs, () => {
          this.#timers.delete(timer)
          this.enter(() => {
            if (!cancelled) callback()
          })
        })
        this.#timers.add(timer)
        return {
          cancel: () => {
            cancelled = true
            this.#timers.delete(timer)
            timer.cancel()
          },
        }
      },
      ...(world.machineCalls === undefined ? {} : { machineCalls: world.machineCalls }),
      soon: (callback) => {
        world.soon(() => {
          this.enter(callback)
        })
      },
    }
  }
}

/** What a request does that may arrive twice: the second time it is known, and has the answer of the first. */
export function once<T>(act: () => T): () => T {
  let first: { readonly answer: T } | null = null
  return () => (first ??= { answer: act() }).answer
}

const untroubled: CallFate = {}

function unreachable(call: string): TidemarkError {
  return new TidemarkError('system-unreachable', `Nothing came back from ${call}.`)
}

function unanswered(): Promise<never> {
  return new Promise(() => undefined)
}
