import type { Random } from '../../core/ports/random.ts'

/** Everything that can go wrong in a simulated world, in the order in which a shrunk history prefers them. */
export const faultKinds = [
  /** The process dies; a request that was on its way still arrives. */
  'crash before',
  'crash after',
  /** SIGTERM: it ends its epochs and stops, and is started again. */
  'stop',
  /** The call never arrives, or has happened and nobody is told. */
  'lost request',
  'lost answer',
  'late request',
  /** It arrives behind some of the calls that come after it. */
  'overtaken request',
  'late answer',
  /** The request arrives twice. */
  'twice',
  /** The process stands still, with the call still to be sent, or sent. */
  'freeze before',
  'freeze after',
  /** The whole job is stopped, begins anew at the start of its input (`--reset-offsets earliest`), and all start again. */
  'reset',
  /** A topic of a pattern is not there at the start; it comes when the fault strikes, and its records with it. */
  'topic appears',
  /** It has one partition fewer at the start. */
  'topic grows',
  /** It is deleted, as soon as all its records are committed. */
  'topic goes',
  /** The same, and when no process reads it any more, another one is made under its name. */
  'topic comes back',
  /** The group deals its tasks out anew. */
  'rebalance',
  /** Somebody else takes a transactional id over. */
  'fence',
  'log unreachable',
  /** It answers, and takes nothing from anybody. */
  'log refusing',
  /** A transaction has ended, and some of those who read what it wrote do not see it for a long time. */
  'late marker',
  /** The machine loses its power: what was not synced is lost from its disk. */
  'power loss',
  /** The same, and the store is found damaged. */
  'torn write',
  'disk full',
  /** The process's clock is set forward or back. */
  'clock jump',
  'tables slow',
  'tables failing',
  'tables silent',
  /** A row is deleted, and comes back later. */
  'row change',
] as const

export type FaultKind = (typeof faultKinds)[number]

/**
 * Which calls to the outside a fault may wait for, and how often one waits for them. The commit decides what has happened,
 * so it comes first.
 */
const aims = {
  commit: 5,
  prepare: 2,
  fence: 2,
  committed: 2,
  state: 2,
  lookup: 2,
  any: 2,
  abort: 1,
  fetch: 1,
  produce: 1,
  write: 5,
} as const

export type CallClass = keyof typeof aims

export const callClasses = Object.keys(aims) as readonly CallClass[]

/** One thing that goes wrong: at the nth call (from 0, over all processes) of a class. */
export interface Fault {
  readonly kind: FaultKind
  readonly call: CallClass
  readonly nth: number
  /** How long, or how late; each kind makes its own of it. */
  readonly ms: number
}

export const maxFaultMs = 20_000

/** The class of a call by its name, besides `any`; null: in no class of its own. */
export function callClass(call: string): CallClass | null {
  const [area, name = ''] = call.split('.')
  if (area === 'state') return 'state'
  if (area === 'tables') return name === 'connect' || name === 'close' ? null : 'lookup'
  const known: readonly string[] = callClasses
  return known.includes(name) ? (name as CallClass) : null
}

/** What a job does not do cannot go wrong. */
export interface FaultyParts {
  readonly lookups: boolean
  readonly state: boolean
  /** Sinks that follow the commits. */
  readonly followers: boolean
  /** Topics that may come, grow and go. */
  readonly topics: boolean
}

/** Kinds and calls that mean something only to a job with this part. */
const partOf: { readonly [what in FaultKind | CallClass]?: keyof FaultyParts } = {
  'power loss': 'state',
  'torn write': 'state',
  'disk full': 'state',
  state: 'state',
  'tables slow': 'lookups',
  'tables failing': 'lookups',
  'tables silent': 'lookups',
  'row change': 'lookups',
  lookup: 'lookups',
  'topic appears': 'topics',
  'topic grows': 'topics',
  'topic goes': 'topics',
  'topic comes back': 'topics',
  write: 'followers',
}

/** A history of up to `most` faults. Calls that come first, and short times, are the more likely ones. */
export function randomFaults(
  random: Random,
  { kinds, parts, most }: { readonly kinds: readonly FaultKind[]; readonly parts: FaultyParts; readonly most: number },
): Fault[] {
  const isMeant = (what: FaultKind | CallClass): boolean => {
    const part = partOf[what]
    return part === undefined || parts[part]
  }
  const possible = kinds.filter(isMeant)
  const calls = callClasses.filter(isMeant).flatMap((call) => Array.from({ length: aims[call] }, () => call))
  if (possible.length === 0) return []
  const below = (limit: number, exponent: number): number => Math.floor(random.next() ** exponent * limit)
  return Array.from({ length: below(most + 1, 1) }, () => {
    const kind = possible[below(possible.length, 1)] ?? 'crash before'
    const call = calls[below(calls.length, 1)] ?? 'any'
    return { kind, call, nth: call === 'any' ? below(300, 2) : below(24, 1.5), ms: below(maxFaultMs, 2) }
  })
}

/** A fault in a timeline's words. */
export function faultText({ kind, call, nth, ms }: Fault): string {
  return `${kind} at ${call === 'any' ? 'call' : call} ${String(nth)} (${String(ms)} ms)`
}
