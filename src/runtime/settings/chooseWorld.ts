import { TidemarkError } from '../../core/errors.ts'
import { jobLogPort } from '../../core/ports/jobLogs.ts'
import type { Port, Resource } from '../../core/ports/port.ts'
import type { System } from '../../core/ports/system.ts'
import { environmentName } from './resolve.ts'
import type { ResolvedSettings } from './resolvedSettings.ts'

/** Which system stands under each port, with the reason for the start line. */
export interface World {
  /** `real` where a system is chosen in place of the local one, or no log is used; else the local one's name. */
  readonly kind: string
  readonly chosenBy: string
  /** Those that their settings have chosen, in the order of the list. */
  readonly chosen: readonly System[]
  /** Those that are used, and not chosen. */
  readonly unset: readonly System[]
  /** Those that are always there. */
  readonly always: readonly System[]
  /** The one of them that has a log on this machine, and stands in for the others. */
  readonly local: System
}

/**
 * Chooses the system under each port that a job or a command uses: one whose keys are set, else one that is always there;
 * settings of systems that are not used are ignored. What uses the log runs on real systems only or on the local one only:
 * some of both is refused with `mixed-worlds`, naming the missing keys, because an address that was forgotten must not
 * compare real messages with empty tables of this machine. Without the log each system is chosen for itself, and so is one
 * that no local system stands in for: there is nothing to mix it up with.
 */
export function chooseWorld(
  settings: ResolvedSettings,
  systems: readonly System[],
  ports: readonly Port<Resource>[],
): World {
  const uses = (system: System): boolean => ports.some((port) => provides(system, port))
  const selectable = systems.filter((system) => system.keys.length > 0 && uses(system))
  const always = systems.filter(({ keys }) => keys.length === 0)
  const local = always.find((system) => provides(system, jobLogPort))
  if (local === undefined) throw new TidemarkError('broken-invariant', 'No system has a log on this machine')
  const isSet = (key: string): boolean => settings.isSet(key)
  const chosen = selectable.filter(({ keys }) => keys.some(isSet))
  const unset = selectable.filter((system) => !chosen.includes(system))
  const hasStandIn = (system: System): boolean =>
    ports.some((port) => provides(system, port) && always.some((other) => provides(other, port)))
  const usesLog = ports.some(({ name }) => name === jobLogPort.name)
  const isReal = chosen.some((system) => !usesLog || hasStandIn(system))
  const together =
    usesLog && isReal ? selectable.filter((system) => chosen.includes(system) || hasStandIn(system)) : chosen
  const keys = together.flatMap((system) => system.keys)
  const set = keys.filter(isSet)
  const missing = keys.filter((key) => !isSet(key))
  const origins = set.map((key) => `${key} (${settings.origin(key)})`)
  if (missing.length > 0) {
    const ways = missing.map((key) => `${key} (in the environment ${environmentName(key)})`)
    throw new TidemarkError(
      'mixed-worlds',
      `${joined(origins)} ${set.length === 1 ? 'points' : 'point'} at a real system, and ${joined(missing)} ${missing.length === 1 ? 'is' : 'are'} not set. All systems of a job are real or all are ${local.name}: set ${joined(ways)}, or remove ${joined(set)} to run ${local.name}.`,
      { details: { missing: missing.join(',') } },
    )
  }
  const found = { chosen, unset, always, local }
  if (isReal) return { kind: 'real', chosenBy: joined(origins), ...found }
  const decisive = unset.flatMap((system) => system.keys.slice(0, 1))
  const chosenBy = decisive.length === 0 ? 'the job uses no other system' : `${joined(decisive)} not set`
  return { kind: local.name, chosenBy, ...found }
}

/** The system of a world under a port. Throws `missing-setting` where settings would choose one, else `invalid-plan`. */
export function systemUnder({ kind, chosen, unset, always }: World, port: Port<Resource>): System {
  const found = [...chosen, ...always].find((system) => provides(system, port))
  if (found !== undefined) return found
  const absent = unset.find((system) => provides(system, port))
  if (absent !== undefined) {
    const ways = absent.keys.map((key) => `${key} (in the environment ${environmentName(key)})`)
    throw new TidemarkError(
      'missing-setting',
      `The port ${port.name} is of ${absent.title}, which is not set, and nothing of the ${kind} world stands in for it: set ${joined(ways)}.`,
    )
  }
  throw new TidemarkError(
    'invalid-plan',
    `The ${kind} world has nothing under the port ${port.name}: give the job a system that provides it, systems: [mySystem].`,
  )
}

/** `a, b and c`. */
export function joined(words: readonly string[]): string {
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} and ${words.at(-1) ?? ''}`
}

function provides(system: System, port: Port<Resource>): boolean {
  return system.ports.some(({ name }) => name === port.name)
}
