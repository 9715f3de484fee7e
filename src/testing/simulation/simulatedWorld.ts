import { offsetFormat } from '../../core/offsetPosition.ts'
import { asTidemarkError, messageOf, TidemarkError } from '../../core/errors.ts'
import type { SettingSpecs } from '../../core/setting.ts'
import { earliest } from '../../core/startMode.ts'
import { startJob } from '../../runtime/job/startJob.ts'
import { runOptions } from '../../runtime/job/runOptions.ts'
import { runnableJob } from '../../runtime/plan/runnableJob.ts'
import { ManualClock } from '../world/manualClock.ts'
import { MemoryGroup, type MemoryGroupOptions } from '../world/memoryGroup.ts'
import { openMemoryJobLog } from '../world/memoryJobLog.ts'
import { MemoryLog } from '../world/memoryLog.ts'
import { MemoryTarget } from '../world/memoryFollower.ts'
import type { MemoryTables } from '../world/memoryTables.ts'
import { seededRandom } from '../world/seededRandom.ts'
import { testEnvironment } from '../kit/testEnvironment.ts'
import { TestProcess } from '../world/testProcess.ts'
import { FaultInjector } from './faultInjector.ts'
import { CommitChecks, staleStore, type Violation } from './invariants.ts'
import { readOutcome } from './outcome.ts'
import { Schedule } from './schedule.ts'
import { SimulatedSlot } from './simulatedSlot.ts'
import { TableTroubles } from './tableTroubles.ts'
import { Timeline } from './timeline.ts'
import { unsentRows } from './unsentRows.ts'
import { TopicLives } from './topicLives.ts'
import type { Scenario, WorldEnd, WorldPlan } from './worldPlan.ts'

/** When every simulated world begins. */
export const worldStartMs: number = Date.UTC(2026, 0, 1)

/** How often the world looks whether it is done. */
const lookEveryMs = 50
/** How often processes look for topics that have come, grown or gone. */
const discoveryMs = 400
/** What has happened to a topic is followed by all who run within this time. */
const followedMs = 3_000
/** Undisturbed for so long with everything committed, it is. */
const quietMs = 1_000
const noLookups = { timeoutMs: Infinity, attempts: Infinity }
const longestCheckpointMs = 10_000
/** A stop ends the current epochs; it may have to wait for a lookup, and for a commit that times out. */
const stopWithinMs = 120_000

/** One run of a job in a world of its own, from the first record to the last commit and a clean stop. */
export class SimulatedWorld<Specs extends SettingSpecs> {
  readonly #scenario: Scenario<Specs>
  readonly #plan: WorldPlan
  readonly #clock: ManualClock = new ManualClock(worldStartMs, { machine: 'refuse' })
  readonly #timeline: Timeline
  readonly #log: MemoryLog
  readonly #tables: MemoryTables
  readonly #target: MemoryTarget
  readonly #schedule: Schedule
  readonly #troubles: TableTroubles
  readonly #checks: CommitChecks
  readonly #injector: FaultInjector
  readonly #slots: readonly SimulatedSlot[]
  readonly #lives: TopicLives
  readonly #over: Promise<void>
  #finish: () => void = () => undefined
  #group: MemoryGroup | null = null
  #groupId = ''
  #violation: Violation | null = null
  #stopping = false
  /** A reset that is under way: the generation of the one before. */
  #resetAfter: number | null = null
  #jobName = ''
  #committedSinceMs: number | null = null
  #lastError = ''

  constructor(scenario: Scenario<Specs>, plan: WorldPlan) {
    this.#scenario = scenario
    this.#plan = plan
    this.#timeline = new Timeline(this.#clock, plan.record)
    this.#schedule = new Schedule(plan.seed)
    this.#tables = scenario.tables.copy()
    this.#target = new MemoryTarget(scenario.target)
    const troubles = new TableTroubles(this.#tables, scenario.lookups ?? noLookups, (position) =>
      scenario.rowOf(position),
    )
    this.#troubles = troubles
    this.#checks = new CommitChecks({
      reference: plan.reference,
      positionOf: scenario.positionOf,
      tolerance: troubles,
      nameOf: (topic) => this.#lives.nameOf(topic),
    })
    this.#log = new MemoryLog({
      partitions: scenario.partitions,
      transactions: 'open',
      ...(plan.calm ? {} : { markers: { clock: this.#clock, afterMs: () => this.#injector.markerMs() } }),
      onCommit: (commit) => {
        const { task, metadata, positions } = commit
        if (plan.record) {
          const at = [...positions].map(([topic, position]) => `${topic} ${offsetFormat.show(position)}`).join(', ')
          this.#timeline.add('log', `COMMIT task ${String(task.partition)} epoch ${String(metadata.epoch)}: ${at}`)
        }
        const violation = this.#checks.check(commit)
        if (violation !== null) this.#violated(violation)
        if (this.#mayChange)
          this.#clock.after(0, () => {
            this.#lives.goOn(this.#groupId)
          })
      },
    })
    this.#lives = new TopicLives({
      inputs: scenario.inputs,
      changing: scenario.changing,
      faults: plan.faults,
      log: this.#log,
      holds: (topic) => this.#group?.holds(topic) ?? false,
      happened: (event) => {
        this.#timeline.add('log', event)
        this.#injector.disturbed(followedMs)
      },
    })
    this.#slots = Array.from({ length: plan.processes }, (_, index) => new SimulatedSlot(`p${String(index + 1)}`))
    this.#injector = new FaultInjector({
      faults: plan.faults,
      clock: this.#clock,
      schedule: this.#schedule,
      timeline: this.#timeline,
      log: this.#log,
      tables: this.#tables,
      troubles,
      rebalance: () => this.#group?.rebalance(),
      reset: () => {
        this.#stopForReset()
      },
      changeTopic: (kind, nth) => {
        this.#lives.strike(kind, nth)
      },
    })
    this.#over = new Promise((resolve) => {
      this.#finish = resolve
    })
  }

  async run(): Promise<WorldEnd> {
    const { inputs, outputs, exactTopics, positionOf } = this.#scenario
    for (const [name, options] of Object.entries(outputs)) this.#log.ensureTopic(name, options)
    this.#lives.begin()
    this.#write(0)
    for (const slot of this.#slots) this.#start(slot)
    this.#look()
    try {
      await this.#clock.runUntil(this.#over)
    } catch (error) {
      // What a timer throws has no pipeline to fail.
      this.#violated({
        invariant: 'the job runs',
        message: isRefused(error) ? messageOf(error) : `a timer threw: ${messageOf(error)}`,
      })
    }
    for (const { process } of this.#slots) process?.kill('the simulation is over')
    this.#group?.close()
    this.#log.settle()
    const outcome = readOutcome(this.#log, this.#target, {
      inputs: new Set(inputs.ends.keys()),
      exactTopics,
      positionOf,
    })
    return {
      violation: this.#violation ?? this.#notReset() ?? staleStore(this.#slots, this.#log, outcome),
      outcome,
      timeline: this.#timeline.lines,
      calls: this.#injector.calls,
      struck: this.#injector.struck,
      commits: this.#log.commits.length,
      virtualMs: this.#clock.now() - worldStartMs,
      lookups: this.#tables.counts.requests,
      stateful: this.#slots.some(({ disks }) => disks.size > 0),
      tolerance: this.#troubles,
      passes: this.#checks.passes,
      again: this.#lives.again,
    }
  }

  /** Writes the arrivals of one moment, and comes back for the next. */
  #write(from: number): void {
    const { arrivals } = this.#scenario.inputs
    const afterMs = arrivals[from]?.afterMs
    if (afterMs === undefined) return
    this.#clock.after(worldStartMs + afterMs - this.#clock.now(), () => {
      let next = from
      while (arrivals[next]?.afterMs === afterMs) next += 1
      this.#lives.write(arrivals.slice(from, next))
      this.#write(next)
    })
  }

  #start(slot: SimulatedSlot): void {
    if (this.#stopping || this.#violation !== null || slot.process !== null) return
    const { job, settings } = this.#scenario
    const { calm, seed, intervalMs } = this.#plan
    slot.starts += 1
    slot.downMs = 1_000
    slot.hitFullDisk = false
    const process = new TestProcess({
      clock: this.#clock,
      ...(calm
        ? {}
        : { fate: (call: string, _index: number, subject: unknown) => this.#injector.fate(slot, call, subject) }),
    })
    slot.process = process
    this.#timeline.add(slot.name, `starts${slot.starts === 1 ? '' : ' again'}`)
    const options = runOptions(settings, process.clock)
    const environment = testEnvironment({
      process,
      random: seededRandom(this.#schedule.derive(`${String(seed)} ${slot.name} ${String(slot.starts)}`)),
      log: this.#timeline.logger(slot.name),
      tables: this.#tables,
      target: this.#target,
      provide: this.#scenario.provide,
      openLog: (spec) => {
        this.#groupId = spec.groupId
        this.#jobName = spec.job
        const membership = {
          name: slot.name,
          ...(this.#mayChange ? { discoveryMs } : {}),
          group: (inputs: MemoryGroupOptions['inputs']) => this.#groupOf(inputs),
        }
        return openMemoryJobLog(this.#log, spec, process, calm ? null : membership)
      },
      openStore: (task) =>
        slot.disk(task).store(() => {
          const isFull = this.#clock.now() < slot.diskFullUntilMs
          if (isFull) slot.hitFullDisk = true
          return isFull
        }),
    })
    const running = startJob(runnableJob(job, settings), environment, {
      ...options,
      checkpoint: {
        intervalMs,
        minPauseMs: Math.min(options.checkpoint.minPauseMs, intervalMs),
        timeoutMs: Math.min(options.checkpoint.timeoutMs, longestCheckpointMs),
      },
      follow: true,
      reset: this.#resetAfter === null ? null : earliest,
    })
    slot.running = running
    Promise.race([running.finished.then(() => 'stopped'), process.crashed.then((why) => `died ${why}`)]).then(
      (end) => {
        this.#ended(slot, end)
      },
      (error: unknown) => {
        this.#failed(slot, asTidemarkError(error, 'broken-invariant', 'The job ended'))
      },
    )
  }

  /** All processes end their epochs and stop; what happens then is `#reset`'s. */
  #stopForReset(): void {
    if (this.#stopping || this.#resetAfter !== null) return
    this.#resetAfter = this.#generation
    this.#timeline.add('kit', 'stops the job, to reset it')
    // Behind the call in which it strikes, which may be one of a process that is being started.
    this.#clock.after(0, () => {
      for (const { running } of this.#slots) running?.stop()
      if (this.#slots.every(({ process }) => process === null)) this.#reset()
    })
  }

  /** One process is asked to reset the job, again if it dies over it, and all start when that is decided. */
  #reset(): void {
    const [first] = this.#slots
    if (first !== undefined && first.process === null) this.#start(first)
    const look = (): void => {
      this.#injector.disturbed(lookEveryMs)
      if (this.#resetAfter === null || this.#violation !== null) return
      if (this.#generation > this.#resetAfter) {
        this.#resetAfter = null
        this.#timeline.add('kit', 'the reset is decided; all start')
        for (const slot of this.#slots) if (slot.process === null) this.#start(slot)
      } else this.#clock.after(lookEveryMs, look)
    }
    look()
  }

  /** Each partition has obeyed the last reset. */
  #notReset(): Violation | null {
    const control = this.#log.control(this.#jobName)
    const place =
      control === null ? null : this.#checks.passes.outside(control.lineage, (name) => this.#lives.exists(name))
    if (control === null || place === null) return null
    return {
      invariant: 'a reset happens once',
      message: `${place} never began the lineage of reset ${control.request.id}, although all processes were started after it`,
    }
  }

  /** Inputs may come, grow and go. */
  get #mayChange(): boolean {
    return !this.#plan.calm && this.#scenario.changing.length > 1
  }

  get #generation(): number {
    return this.#log.control(this.#jobName)?.generation ?? -1
  }

  #groupOf(inputs: MemoryGroupOptions['inputs']): MemoryGroup {
    this.#group ??= new MemoryGroup({
      clock: this.#clock,
      inputs,
      trace: (event) => {
        this.#timeline.add('group', event)
      },
      kept: (message) => {
        this.#violated({ invariant: 'a task that was taken away is let go', message })
      },
    })
    return this.#group
  }

  /** A job may give up for reasons that pass; whoever runs it starts it again. Anything else is a finding. */
  #failed(slot: SimulatedSlot, error: TidemarkError): void {
    this.#lastError = error.message
    // Whatever it has left behind does not go on.
    slot.process?.kill('the job has failed')
    if (error.kind === 'epoch' || error.kind === 'unreachable' || slot.hitFullDisk) {
      this.#ended(slot, `failed: ${error.message}`)
      return
    }
    this.#violated({ invariant: 'the job runs', message: `${slot.name} stopped with ${error.code}: ${error.message}` })
  }

  #ended(slot: SimulatedSlot, how: string): void {
    this.#timeline.add(slot.name, how)
    slot.process?.kill('it has ended')
    slot.process = null
    slot.running = null
    if (this.#stopping) {
      if (this.#slots.every(({ process }) => process === null)) this.#finish()
      return
    }
    this.#injector.disturbed(slot.downMs)
    this.#clock.after(slot.downMs, () => {
      if (this.#resetAfter === null) this.#start(slot)
      else if (this.#slots.every(({ process }) => process === null)) this.#reset()
    })
  }

  #violated(violation: Violation): void {
    if (this.#violation !== null) return
    this.#violation = violation
    this.#timeline.add('kit', `VIOLATED ${violation.invariant}: ${violation.message}`)
    // At the end of whatever is going on.
    this.#clock.soon(this.#finish)
  }

  /** Looks from time to time whether everything is committed and quiet, or nothing gets on any more. */
  #look(): void {
    this.#clock.after(lookEveryMs, () => {
      if (this.#violation !== null) return
      const now = this.#clock.now()
      const lastMs = Math.max(
        this.#injector.troubledUntilMs,
        worldStartMs + (this.#scenario.inputs.arrivals.at(-1)?.afterMs ?? 0),
      )
      if (this.#mayChange) {
        this.#lives.goOn(this.#groupId)
        this.#lives.hurry(this.#groupId)
      }
      // A partition that has yet to obey a reset stands where it stood, at its end.
      const missing = this.#lives.unfinished(this.#groupId) ?? this.#notReset()?.message ?? unsentRows(this.#log)
      if (missing !== null) this.#committedSinceMs = null
      else this.#committedSinceMs ??= now
      const isUp = this.#slots.every(({ process }) => process !== null && !process.frozen)
      if (this.#committedSinceMs !== null && isUp && now - Math.max(lastMs, this.#committedSinceMs) >= quietMs) {
        this.#stop()
        return
      }
      if (missing !== null && now - lastMs > this.#scenario.progressMs) {
        const last = this.#lastError === '' ? '' : ` The job's last error: ${this.#lastError}`
        this.#violated({
          invariant: 'progress after the faults end',
          message: `${missing}, ${String(now - lastMs)} ms after the last trouble.${last}`,
        })
        return
      }
      this.#look()
    })
  }

  #stop(): void {
    this.#stopping = true
    this.#timeline.add('kit', 'all is committed and quiet; stops the job')
    for (const { running } of this.#slots) running?.stop()
    this.#clock.after(stopWithinMs, () => {
      this.#violated({
        invariant: 'a stop ends the job',
        message: `it still runs ${String(stopWithinMs)} ms after the stop`,
      })
    })
  }
}

/** The clock does not go on where the job depends on the machine's. */
function isRefused(error: unknown): boolean {
  return error instanceof TidemarkError && error.code === 'machine-clock'
}
