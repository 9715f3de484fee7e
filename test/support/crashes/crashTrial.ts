import type { CrashCase } from './crashCase.ts'
import { crashOracle, takenBack, violationAtEnd, violationNow, type CrashOracle } from './crashInvariants.ts'
import { crashSnapshot, shownOutputs } from './crashSnapshot.ts'
import { CrashWorld, type PlantedFault, type ProcessEnd } from './crashWorld.ts'
import { everyCrash, type Crash } from './mortalProcess.ts'

/** What came of a run with crashes. */
export interface Trial {
  readonly crashes: readonly Crash[]
  /** Calls of each process. */
  readonly calls: readonly number[]
  /** How many of the crashes happened; the others lay behind the end of the run. */
  readonly died: number
  /** What was found broken, first; null: nothing. */
  readonly violation: string | null
}

/** A case with what it must give. */
export interface Trials {
  readonly of: CrashCase
  readonly oracle: CrashOracle
  /** Epochs of each task in a run without crashes. */
  readonly epochs: readonly number[]
  /** Calls of a run without crashes. */
  readonly calls: number
  readonly fault: PlantedFault
}

/** Runs the case without crashes; rejects where a fault shows even then. */
export async function prepareTrials(of: CrashCase, fault: PlantedFault = {}): Promise<Trials> {
  const world = new CrashWorld(of, fault)
  const { calls } = await world.run(null)
  const snapshot = await crashSnapshot(of, world.disk)
  const oracle = crashOracle(snapshot)
  const violation = violationNow(of, oracle, snapshot) ?? violationAtEnd(snapshot, world.states)
  if (violation !== null) throw new Error(`without any crash: ${violation}`)
  const epochs = [...snapshot.positions.values()].map(({ metadata }) => metadata.epoch)
  return { of, oracle, epochs, calls, fault }
}

/** Runs a job through crashes to its end, and looks at what is there after each of them. */
export async function tryCrashes({ of, oracle, fault }: Trials, crashes: readonly Crash[]): Promise<Trial> {
  const world = new CrashWorld(of, fault)
  const calls: number[] = []
  const shown = new Set<string>()
  let died = 0
  let violation: string | null = null
  for (const crash of [...crashes, null]) {
    let end: ProcessEnd
    try {
      end = await world.run(crash)
    } catch (error) {
      violation = `process ${String(calls.length + 1)} did not come through: ${String(error)}`
      break
    }
    calls.push(end.calls)
    if (end.crash !== null) died += 1
    try {
      let snapshot = await crashSnapshot(of, world.disk)
      for (const output of shownOutputs(snapshot, end)) shown.add(output)
      if (crash?.losesPower === true && end.crash !== null) {
        world.losePower(crash.call)
        snapshot = await crashSnapshot(of, world.disk)
      }
      violation = takenBack(shown, snapshot) ?? violationNow(of, oracle, snapshot)
      if (end.crash === null) violation ??= violationAtEnd(snapshot, world.states)
    } catch (error) {
      violation = `the store cannot be read: ${String(error)}`
    }
    if (violation !== null || end.crash === null) break
  }
  return { crashes, calls, died, violation }
}

/** The first violation that a crash at some call leads to, by kill alone or with the power; null: none does. */
export async function firstViolation(trials: Trials, losesPower: boolean): Promise<string | null> {
  for (const crash of everyCrash(trials.calls)) {
    const { violation } = await tryCrashes(trials, [{ ...crash, losesPower }])
    if (violation !== null) return violation
  }
  return null
}
