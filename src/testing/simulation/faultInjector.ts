import type { RowRequest } from '../../tables/rowLookup.ts'
import type { Clock } from '../../core/ports/clock.ts'
import { TidemarkError } from '../../core/errors.ts'
import type { MemoryLog } from '../world/memoryLog.ts'
import type { MemoryTables } from '../world/memoryTables.ts'
import type { CallFate } from '../world/testProcess.ts'
import { callClass, faultText, maxFaultMs, type CallClass, type Fault, type FaultKind } from './faults.ts'
import type { Schedule } from './schedule.ts'
import { seededRandom } from '../world/seededRandom.ts'
import type { SimulatedSlot } from './simulatedSlot.ts'
import type { TableTroubles } from './tableTroubles.ts'
import type { Timeline } from './timeline.ts'
import type { LifeFault } from './topicLives.ts'

export interface FaultInjectorOptions {
  readonly faults: readonly Fault[]
  readonly clock: Clock
  readonly schedule: Schedule
  readonly timeline: Timeline
  readonly log: MemoryLog
  readonly tables: MemoryTables
  /** What was done to which rows. */
  readonly troubles: TableTroubles
  rebalance(): void
  /** Stops the job and resets it. */
  reset(): void
  /** Something happens to a topic. */
  changeTopic(kind: LifeFault, nth: number): void
}

/** How long a client waits for an answer of the tables. */
const clientTimeoutMs = 2_000
/** How long a client waits before it takes a request for lost, at most. */
const longestSilenceMs = 4_000

type TableTrouble = 'tables slow' | 'tables failing' | 'tables silent'

/** Decides the fate of each call of every process: its latency from the schedule, and the faults that wait for it. */
export class FaultInjector {
  readonly #options: FaultInjectorOptions
  readonly #waiting: Map<CallClass, Map<number, Fault[]>> = new Map<CallClass, Map<number, Fault[]>>()
  readonly #counts: Map<CallClass, number> = new Map<CallClass, number>()
  readonly #struck: FaultKind[] = []
  readonly #overtakers: Set<{ left: number; readonly resolve: () => void }> = new Set()
  #calls = 0
  #troubledUntilMs: number
  #logGoneUntilMs = -Infinity
  #logRefusesUntilMs = -Infinity
  /** How late the next markers are. */
  readonly #lateMarkers: number[] = []
  #trouble: { readonly kind: TableTrouble; readonly untilMs: number; readonly ms: number } | null = null

  constructor(options: FaultInjectorOptions) {
    this.#options = options
    this.#troubledUntilMs = options.clock.now()
    for (const fault of options.faults) {
      const ofClass = this.#waiting.get(fault.call) ?? new Map<number, Fault[]>()
      this.#waiting.set(fault.call, ofClass)
      ofClass.set(fault.nth, [...(ofClass.get(fault.nth) ?? []), fault])
    }
  }

  get calls(): number {
    return this.#calls
  }

  get struck(): readonly FaultKind[] {
    return this.#struck
  }

  /** Until when something has been wrong. */
  get troubledUntilMs(): number {
    return this.#troubledUntilMs
  }

  /** How long the next marker is under way. */
  markerMs(): number {
    const lateMs = this.#lateMarkers.shift() ?? 0
    return this.#options.schedule.nextMarkerMs() + lateMs
  }

  /** Something is wrong for so long from now. */
  disturbed(ms: number): void {
    this.#troubledUntilMs = Math.max(this.#troubledUntilMs, this.#options.clock.now() + ms)
  }

  /** @param subject of a lookup: what is asked for. */
  fate(slot: SimulatedSlot, call: string, subject: unknown): CallFate {
    const { schedule, timeline } = this.#options
    this.#calls += 1
    this.#overtake(call)
    const fate: CallFate = { ...schedule.next(call), ...this.#prevailing(call) }
    const ofClass = callClass(call)
    const faults = [...this.#due('any'), ...(ofClass === null ? [] : this.#due(ofClass))]
    if (timeline.recording && (faults.length > 0 || (ofClass !== 'lookup' && ofClass !== 'fetch'))) {
      timeline.add(slot.name, call)
    }
    for (const fault of faults) {
      this.#struck.push(fault.kind)
      timeline.add(slot.name, `FAULT ${faultText(fault)}, at ${call}`)
      this.disturbed(fault.ms)
      Object.assign(fate, this.#strike(fault, slot, call))
    }
    this.#account(call, subject, fate, faults)
    return fate
  }

  /** What strikes single requests is told to those who judge what may come of it. */
  #account(call: string, subject: unknown, fate: CallFate, faults: readonly Fault[]): void {
    if (!call.startsWith('tables.lookup') || !Array.isArray(subject)) return
    const prevailing = this.#prevailingTrouble()
    // All requests fail or wait for ever: an outage.
    if (prevailing === 'tables failing' || prevailing === 'tables silent') return
    if (faults.length === 0 && prevailing === null) return
    const heldMs = fate.held === undefined ? 0 : maxFaultMs
    this.#options.troubles.asked(subject as readonly RowRequest[], fate, heldMs)
  }

  #prevailingTrouble(): TableTrouble | null {
    return this.#trouble === null || this.#options.clock.now() >= this.#trouble.untilMs ? null : this.#trouble.kind
  }

  /** Resolves behind so many calls to the log that come later, or after the longest time. */
  #overtaken(calls: number): Promise<void> {
    this.disturbed(maxFaultMs)
    return new Promise((resolve) => {
      this.#overtakers.add({ left: calls, resolve })
      this.#options.clock.after(maxFaultMs, resolve)
    })
  }

  #overtake(call: string): void {
    if (call === 'log.fetch' || !(call.startsWith('log.') || call.startsWith('transaction.'))) return
    for (const waiting of this.#overtakers) {
      waiting.left -= 1
      if (waiting.left > 0) continue
      this.#overtakers.delete(waiting)
      waiting.resolve()
    }
  }

  #due(ofClass: CallClass): readonly Fault[] {
    const count = this.#counts.get(ofClass) ?? 0
    this.#counts.set(ofClass, count + 1)
    return this.#waiting.get(ofClass)?.get(count) ?? []
  }

  /** What is wrong for a while with everything of a kind. */
  #prevailing(call: string): CallFate {
    const now = this.#options.clock.now()
    if (now < this.#logGoneUntilMs && (call.startsWith('log.') || call.startsWith('transaction.'))) {
      return lost('request', call, 500)
    }
    if (now < this.#logRefusesUntilMs && refusable.has(call)) return { ...lost('request', call, 5), error: refused() }
    if (!call.startsWith('tables.')) return {}
    switch (this.#prevailingTrouble()) {
      case null:
        return {}
      case 'tables slow':
        return { answerMs: this.#trouble?.ms ?? 0 }
      case 'tables failing':
        return lost('request', call, 5)
      case 'tables silent':
        // A client gives up connecting, and waits for nobody when it closes.
        if (call === 'tables.connect') return lost('request', call, 5_000)
        if (call === 'tables.close') return {}
        // So does it with a read, in its own time; a probe is waited for by who sends it.
        return call === 'tables.probe' ? { silent: true } : lost('request', call, clientTimeoutMs)
    }
  }

  #strike({ kind, nth, ms }: Fault, slot: SimulatedSlot, call: string): CallFate {
    const { clock, log, tables, timeline, troubles } = this.#options
    const isLocal = call.startsWith('state.')
    switch (kind) {
      case 'crash before':
      case 'crash after':
        slot.downMs = ms % 5_000
        return { crash: kind === 'crash before' ? 'before' : 'after' }
      case 'power loss':
      case 'torn write':
        slot.downMs = ms % 5_000
        for (const { disk } of slot.disks.values()) {
          const random = seededRandom(ms)
          if (kind === 'torn write') disk.damage(random)
          else disk.losePower(random)
        }
        return { crash: kind === 'torn write' ? 'after' : 'before' }
      case 'stop':
        slot.downMs = ms % 5_000
        clock.after(0, () => slot.running?.stop())
        return {}
      case 'lost request':
      case 'lost answer':
        // A disk that has taken a write says so.
        return isLocal ? {} : lost(kind === 'lost request' ? 'request' : 'answer', call, ms % longestSilenceMs)
      case 'late request':
        return { requestMs: ms }
      case 'overtaken request':
        return isLocal ? {} : { requestMs: 0, held: this.#overtaken(1 + (ms % 12)) }
      case 'late answer':
        return { answerMs: ms }
      case 'twice':
        return { againMs: ms % 2_000 }
      case 'freeze before':
      case 'freeze after':
        return { freeze: { point: kind === 'freeze before' ? 'before' : 'after', ms } }
      case 'rebalance':
        this.#options.rebalance()
        return {}
      case 'fence': {
        const ids = log.transactionalIds
        const transactionalId = ids[nth % Math.max(1, ids.length)]
        if (transactionalId !== undefined) log.fence({ transactionalId })
        return {}
      }
      case 'log refusing':
        this.#logRefusesUntilMs = clock.now() + ms
        return {}
      case 'reset':
        this.#options.reset()
        return {}
      case 'topic appears':
      case 'topic grows':
      case 'topic goes':
      case 'topic comes back':
        this.#options.changeTopic(kind, nth)
        return {}
      case 'log unreachable':
        this.#logGoneUntilMs = clock.now() + ms
        return {}
      case 'late marker':
        // One of those that come next: in one place of several, the others are in time.
        this.#lateMarkers.push(...Array.from({ length: nth % 4 }, () => 0), ms)
        return {}
      case 'disk full':
        slot.diskFullUntilMs = clock.now() + ms
        return {}
      case 'clock jump':
        slot.process?.jump((ms % 2 === 0 ? 60 : -60) * ms)
        return {}
      case 'tables slow':
      case 'tables failing':
      case 'tables silent':
        this.#trouble = { kind, untilMs: clock.now() + ms, ms: ms % 3_000 }
        return {}
      case 'row change': {
        const hidden = tables.hide(nth)
        if (hidden === null) return {}
        troubles.rowChanged(hidden.name)
        clock.after(ms, () => {
          timeline.add('tables', 'the row is back')
          hidden.putBack()
        })
        return {}
      }
    }
  }
}

/** What a log that takes nothing refuses. */
const refusable: ReadonlySet<string> = new Set(['transaction.produce', 'transaction.prepare', 'transaction.commit'])

function refused(): TidemarkError {
  return new TidemarkError('commit-failed', 'The log refuses everything: too few replicas are in sync.')
}

function lost(what: 'request' | 'answer', call: string, afterMs: number): CallFate {
  return {
    lost: what,
    answerMs: afterMs,
    ...(call === 'transaction.commit'
      ? { error: new TidemarkError('commit-failed', 'The commit was sent, and no answer came.', { retriable: true }) }
      : {}),
  }
}
