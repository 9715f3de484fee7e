import { systemClock, type Clock } from '../../../src/core/ports/clock.ts'
import { TestProcess, type CrashPoint } from '../../../src/testing/world/testProcess.ts'

/** How a process dies: at which of its calls, on which side of its effect, and whether the machine's power goes as well. */
export interface Crash {
  readonly call: number
  readonly point: CrashPoint
  /** What is not synced is gone then. */
  readonly losesPower: boolean
}

/** A process that dies at a given call to a port. All calls count, the synchronous reads of rows and state as well. */
export class MortalProcess {
  readonly process: TestProcess
  /** Calls so far. */
  calls = 0
  readonly #crash: Crash | null

  constructor(clock: Clock, crash: Crash | null) {
    this.#crash = crash
    this.process = new TestProcess({ clock, crashAt: () => this.#next() })
  }

  /** A synchronous read. It cannot be left unanswered: a process that dies in it does nothing more at its next call. */
  read(name: string): void {
    if (this.process.alive && this.#next() !== null) this.process.kill(`at ${name}, call ${String(this.calls - 1)}`)
  }

  #next(): CrashPoint | null {
    const call = this.calls
    this.calls += 1
    return call === this.#crash?.call ? this.#crash.point : null
  }
}

/** Every call of a run, before and after its effect; in one of the two the power goes, in turn the one or the other. */
export function everyCrash(calls: number): readonly Crash[] {
  return Array.from({ length: calls }, (_, call): readonly Crash[] => [
    { call, point: 'before', losesPower: call % 2 === 0 },
    { call, point: 'after', losesPower: call % 2 === 1 },
  ]).flat()
}

/** Does something in a process, from its start to its end, and gives how many calls it made. */
export async function callsOf(act: (mortal: MortalProcess) => Promise<unknown>): Promise<number> {
  const mortal = new MortalProcess(systemClock, null)
  await act(mortal)
  return mortal.calls
}

/** Does something in a process that dies over it. Rejects when it does not. */
export async function dieAt(crash: Crash, act: (mortal: MortalProcess) => Promise<unknown>): Promise<void> {
  const mortal = new MortalProcess(systemClock, crash)
  const death = await Promise.race([act(mortal).then(() => null), mortal.process.crashed])
  if (death === null) throw new Error(`It came to its end, and was to die at call ${String(crash.call)}`)
}
