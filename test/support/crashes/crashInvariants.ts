import { isDeepStrictEqual } from 'node:util'
import type { StreamRecord } from '../../../src/core/record.ts'
import { sameCheckpoint } from '../../../src/core/ports/task.ts'
import { decodeChangelogKey } from '../../../src/state/changelogKey.ts'
import { mistakesIn } from '../faults/outputs.ts'
import type { CrashCase } from './crashCase.ts'
import { idOf, outputText, placedText, type CrashSnapshot } from './crashSnapshot.ts'
import type { UnsyncedStateDisk } from './unsyncedStateDisk.ts'

/** What the job makes of each input record, by its id: one result or one dead letter. */
export type CrashOracle = ReadonlyMap<string, string>

/** The oracle that a run without crashes is. Throws where an input has no output, or more than one. */
export function crashOracle({ inputs, outputs }: CrashSnapshot): CrashOracle {
  const oracle = new Map(outputs.map((output) => [idOf(output), outputText(output)]))
  const ids = new Set(inputs.flat().map(idOf))
  if (oracle.size !== outputs.length || oracle.size !== ids.size || [...ids].some((id) => !oracle.has(id))) {
    throw new Error(`${String(ids.size)} inputs gave ${String(outputs.length)} outputs of ${String(oracle.size)}`)
  }
  return oracle
}

/**
 * What holds at any moment, whoever looks: outputs and dead letters are exactly those of the input before the committed
 * positions, each once, and the state in the changelog is what replaying that input gives. Null: it holds.
 */
export function violationNow(of: CrashCase, oracle: CrashOracle, snapshot: CrashSnapshot): string | null {
  const { inputs, outputs, positions, changelogs } = snapshot
  const passed = inputs.map((records, partition) => records.slice(0, positions.get(partition)?.offset ?? 0))
  const [mistake] = mistakesIn(outputs, passed.flat().map(idOf), {
    messageOf: idOf,
    show: placedText,
    wrong: (output) => {
      const right = oracle.get(idOf(output))
      return right === outputText(output) ? null : `${placedText(output)} instead of ${right ?? 'nothing'}`
    },
  })
  return mistake ?? wrongState(of, passed, positions, changelogs)
}

/** What was shown to a reader stays where it was. */
export function takenBack(shown: ReadonlySet<string>, { outputs }: CrashSnapshot): string | null {
  const [gone] = shown.difference(new Set(outputs.map(placedText)))
  return gone === undefined ? null : `a reader has seen what is not there any more: ${gone}`
}

/** What holds besides once the job has ended: all input is committed, and local state is the committed state. */
export function violationAtEnd(
  { inputs, positions, changelogs }: CrashSnapshot,
  states: ReadonlyMap<number, UnsyncedStateDisk>,
): string | null {
  for (const [partition, records] of inputs.entries()) {
    const offset = positions.get(partition)?.offset ?? 0
    if (offset !== records.length) {
      return `partition ${String(partition)} ends at ${String(records.length)}, and ${String(offset)} is committed`
    }
  }
  for (const [partition, { position, values }] of states) {
    const committed = positions.get(partition)?.metadata ?? null
    if (!sameCheckpoint(position, committed)) {
      return `the local state of partition ${String(partition)} is of epoch ${String(position?.epoch)}, committed is ${String(committed?.epoch)}`
    }
    const wanted = changelogs[partition]?.values
    if (!isDeepStrictEqual(new Map(values), wanted)) {
      return `the local state of partition ${String(partition)} holds ${listed(values)}, the changelog ${listed(wanted)}`
    }
  }
  return null
}

function wrongState(
  { stateAfter }: CrashCase,
  passed: readonly (readonly StreamRecord[])[],
  positions: CrashSnapshot['positions'],
  changelogs: CrashSnapshot['changelogs'],
): string | null {
  for (const [partition, { values, end }] of changelogs.entries()) {
    const state = new Map([...values].map(([key, value]) => [stateKeyText(key), value]))
    const wanted = stateAfter(passed[partition] ?? [])
    if (!isDeepStrictEqual(state, new Map(wanted))) {
      return `the changelog of partition ${String(partition)} amounts to ${listed(state)}, replaying the input to ${listed(wanted)}`
    }
    const committedEnd = positions.get(partition)?.metadata.changelogEnd ?? 0
    if (committedEnd !== end) {
      return `the changelog of partition ${String(partition)} ends at ${String(end)}, and ${String(committedEnd)} is committed`
    }
  }
  return null
}

function stateKeyText(key: string): string {
  const decoded = decodeChangelogKey(Buffer.from(key, 'latin1'))
  return decoded.kind === 'state' ? decoded.stateKey.toString('latin1') : ''
}

function listed(values: ReadonlyMap<string, string> | undefined): string {
  return JSON.stringify([...(values ?? [])].toSorted(([a], [b]) => (a < b ? -1 : 1)))
}
