import { TidemarkError } from '../../core/errors.ts'
import type { HostPort } from '../../core/settingCodecs.ts'
import { environmentName } from './resolve.ts'
import type { ResolvedSettings } from './resolvedSettings.ts'

/** What a job uses: a log (topics), rows (tables). */
export interface WorldNeeds {
  readonly log: boolean
  readonly rows: boolean
}

/** Where a Cassandra cluster is. */
export interface CassandraPlace {
  readonly contactPoints: readonly HostPort[]
  readonly localDatacenter: string
}

/** Where a job runs, with the reason for the start line. */
export type World =
  | { readonly kind: 'embedded'; readonly chosenBy: string }
  | {
      readonly kind: 'real'
      readonly chosenBy: string
      /** Null where the job uses no log. */
      readonly brokers: readonly HostPort[] | null
      /** Null where the job uses no rows. */
      readonly cassandra: CassandraPlace | null
    }

const logKeys = ['kafka.bootstrap.servers'] as const
const rowKeys = ['cassandra.contact.points', 'cassandra.local.datacenter'] as const

/**
 * Decides between the embedded and the real world from the systems that the job uses; settings of others are ignored. All
 * of them are real or all are embedded: some of both is refused with `mixed-worlds`, naming the missing keys.
 */
export function chooseWorld(settings: ResolvedSettings, needs: WorldNeeds): World {
  const keys = [...(needs.log ? logKeys : []), ...(needs.rows ? rowKeys : [])]
  const set = keys.filter((key) => settings.get(key) !== undefined)
  const missing = keys.filter((key) => settings.get(key) === undefined)
  if (set.length === 0) {
    const decisive = keys.filter((key) => key !== 'cassandra.local.datacenter')
    const chosenBy = keys.length === 0 ? 'the job uses no other system' : `${joined(decisive)} not set`
    return { kind: 'embedded', chosenBy }
  }
  const origins = set.map((key) => `${key} (${settings.origin(key)})`)
  if (missing.length > 0) {
    const ways = missing.map((key) => `${key} (in the environment ${environmentName(key)})`)
    throw new TidemarkError(
      'mixed-worlds',
      `${joined(origins)} ${set.length === 1 ? 'points' : 'point'} at a real system, and ${joined(missing)} ${missing.length === 1 ? 'is' : 'are'} not set. All systems of a job are real or all are embedded: set ${joined(ways)}, or remove ${joined(set)} to run embedded.`,
      { details: { missing: missing.join(',') } },
    )
  }
  const contactPoints = settings.get('cassandra.contact.points')
  const localDatacenter = settings.get('cassandra.local.datacenter')
  return {
    kind: 'real',
    chosenBy: joined(origins),
    brokers: needs.log ? (settings.get('kafka.bootstrap.servers') ?? null) : null,
    cassandra:
      needs.rows && contactPoints !== undefined && localDatacenter !== undefined
        ? { contactPoints, localDatacenter }
        : null,
  }
}

function joined(words: readonly string[]): string {
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} and ${words.at(-1) ?? ''}`
}
