import { AsyncLocalStorage, createHook, type AsyncHook } from 'node:async_hooks'
import type { MachineCalls } from '../../core/ports/clock.ts'
import { isPromise } from '../../core/mistakes.ts'

/** A call of the job's own code whose end is waited for. */
interface Call {
  /** It has set a timer of the machine, opened a file or a socket, or the like. */
  usesMachine: boolean
  /** It was waited for, and did not end. */
  givenUp: boolean
}

const current = new AsyncLocalStorage<Call>()

/** What Node makes for promises and turns of the event loop; everything else waits for the machine. */
const ofNoMachine: ReadonlySet<string> = new Set(['PROMISE', 'TickObject', 'Microtask', 'Immediate'])

/**
 * Sees which of the calls that a job waits for wait themselves for the machine: its timers, files, sockets. Watches from the
 * first call to `rest`, because to be told of every asynchronous step slows a process down.
 */
export class MachineWatch implements MachineCalls {
  readonly #pending = new Set<Call>()
  #hook: AsyncHook | null = null
  #used = false
  /** Calls that have ended. */
  ended = 0

  /** Runs a call within which such waits are seen. */
  run<T>(act: () => T): T {
    this.#hook ??= watchSteps().enable()
    const call: Call = { usesMachine: false, givenUp: false }
    const answer = current.run(call, act)
    if (!isPromise(answer)) return answer
    this.#pending.add(call)
    const end = (): void => {
      if (call.usesMachine) this.#used = true
      this.#pending.delete(call)
      this.ended += 1
    }
    // Of the call itself, so that nothing is changed for whoever waits for it.
    Promise.resolve(answer).then(end, end)
    return answer
  }

  /** A call waits for the machine, and may still be waited for. */
  get isWaiting(): boolean {
    return [...this.#pending].some(({ usesMachine, givenUp }) => usesMachine && !givenUp)
  }

  /** Some call has waited for the machine, or does so now. */
  get isUsed(): boolean {
    return this.#used || [...this.#pending].some(({ usesMachine }) => usesMachine)
  }

  get hint(): string {
    return [...this.#pending].some(({ usesMachine }) => usesMachine) ? ` ${machineHint}` : ''
  }

  giveUp(): void {
    for (const call of this.#pending) call.givenUp ||= call.usesMachine
  }

  rest(): void {
    if (this.#pending.size > 0) return
    this.#hook?.disable()
    this.#hook = null
  }
}

export const machineHint =
  "It waits on the machine's clock (a timer, a file or a socket of its own), and the test's clock is a virtual one: wait on context.clock instead, or give the job a lookup for tests that answers by itself (docs/testing-jobs.md, Lookups over HTTP)."

function watchSteps(): AsyncHook {
  return createHook({
    init(_id, type) {
      const call = current.getStore()
      if (call !== undefined && !ofNoMachine.has(type)) call.usesMachine = true
    },
  })
}
