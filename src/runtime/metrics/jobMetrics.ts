import type { Clock } from '../../core/ports/clock.ts'
import { asTidemarkError, errorCodes, type TidemarkError } from '../../core/errors.ts'
import { Durations, sumOf, type Figure, type StepFigure } from '../../core/figures.ts'
import type { Resource } from '../../core/ports/port.ts'
import type { CommittedEpoch, EpochPhases } from '../task/epoch.ts'
import type { Tally } from '../plan/defineJob.ts'
import type { Plan } from '../plan/plan.ts'
import { BoundedCounts, otherKey } from './boundedCounts.ts'
import type { AttemptFlow } from '../attempt/attemptContext.ts'

/**
 * What a task is doing:
 * - `recovering`: fencing, reading what was committed, restoring state;
 * - `idle`: nothing to read, no epoch open;
 * - `running`: emitting the records of an epoch;
 * - `held`: the same, and an operator that is full holds the source back;
 * - `committing`: past the barrier;
 * - `waiting`: between a failed epoch and the next attempt;
 * - `ended`, `failed`.
 */
export type TaskActivity = 'recovering' | 'idle' | 'running' | 'held' | 'committing' | 'waiting' | 'ended' | 'failed'

/** How often, and for how many ms in all, operators held a source back. */
export interface GateTotals {
  readonly closures: number
  readonly closedMs: number
}

/** A task as metrics see it: what it knows anyway, read when somebody asks. */
export interface MeasuredTask {
  readonly partition: number
  readonly state: TaskActivity
  /** What failed since the last commit. */
  readonly trouble: TidemarkError | null
  /** For how many ms there was trouble and no commit. */
  readonly troubledMs: number
  /** Records emitted in the epoch under way. */
  readonly epochRecords: number
  /** Records that operators hold now. */
  readonly pending: number
  readonly gate: GateTotals
  /** What its steps have counted by themselves. */
  readonly figures: readonly (readonly [step: string, figures: readonly StepFigure[]])[]
  /** Records between its position and the end, by topic; asks the log. Empty before the first recovery. */
  lag(): Promise<ReadonlyMap<string, number>>
}

/** How a run ended, and what it has committed. */
export interface JobResult {
  readonly outcome: 'completed' | 'stopped'
  /** Input records in committed epochs of this run. */
  readonly records: number
  readonly epochs: number
  /** Records, and markers among them, that a bounded run has left behind transactions that are not decided. */
  readonly undecided: number
  /** Epoch attempts that were given up. */
  readonly aborted: number
  readonly tallies: readonly Tally[]
  readonly phases: EpochPhases
  readonly durationMs: number
  /** In all tasks together. */
  readonly gate: GateTotals
}

/** `starting` until the group is joined. */
export type JobPhase = 'starting' | 'running' | 'failed' | 'ended'

/** A commit, as it is remembered for people. */
export interface CommitEntry {
  /** ms since 1970, as the wall clock was at the start of the run. */
  readonly atMs: number
  readonly partition: number
  readonly epoch: number
  readonly records: number
  readonly cut: string
  readonly phases: EpochPhases
}

/** What one partition has committed in this run. */
export interface PartitionTotals {
  readonly epoch: number
  readonly records: number
}

const rememberedCommits = 50
/** From a local commit to the longest checkpoint timeout anybody sets. */
const phaseBoundsMs = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 30_000, 60_000]
/** The tally under which operators count what they refuse, by error code. */
const deadLetterTally = 'dead-letters'
/** Names that a job counts under; more than any job has. */
const maxTallies = 100
/** The same with their labels, for the run's result. */
const maxLabelled = 1_000

/**
 * What a run has done, for metrics, the live page and its result: totals, told by the runtime once an epoch, and a view of
 * the tasks as they are when somebody asks. Nothing here is called once a record. Memory is bounded by the plan, the partitions and
 * a few constants, never by what stands in messages.
 */
export class JobMetrics {
  readonly job: string
  /** ms since 1970. */
  readonly startedMs: number
  readonly #beganMs: number
  readonly epochPhases: Readonly<Record<keyof EpochPhases, Durations>> = {
    emitMs: new Durations(phaseBoundsMs),
    drainMs: new Durations(phaseBoundsMs),
    commitMs: new Durations(phaseBoundsMs),
    applyMs: new Durations(phaseBoundsMs),
  }
  /** From barrier to commit. */
  readonly checkpointLatency: Durations = new Durations(phaseBoundsMs)
  readonly checkpoints: BoundedCounts = new BoundedCounts(10)
  readonly sources: BoundedCounts = new BoundedCounts(1_000)
  readonly sinks: BoundedCounts = new BoundedCounts(1_000)
  /** By error code; committed ones only. */
  readonly deadLetters: BoundedCounts = new BoundedCounts(Object.keys(errorCodes).length + 1)
  /** By error code. */
  readonly aborted: BoundedCounts = new BoundedCounts(Object.keys(errorCodes).length)
  /** By error code. */
  readonly restarts: BoundedCounts = new BoundedCounts(Object.keys(errorCodes).length)
  /** By name; their labels may come from messages and are summed up. */
  readonly tallies: BoundedCounts = new BoundedCounts(maxTallies)
  readonly #clock: Clock
  readonly #tasks = new Map<number, MeasuredTask>()
  readonly #partitions = new Map<number, PartitionTotals>()
  /** The last commits, oldest first. */
  readonly commits: CommitEntry[] = []
  /** By step, of tasks that are gone; all at zero to begin with. */
  readonly #pastFigures = new Map<string, readonly StepFigure[]>()
  /** By partition: records that waited when its task was taken over first, and those that a bounded run cannot read yet. */
  readonly #backlog = new Map<number, number>()
  readonly #undecided = new Map<number, number>()
  /** By name and labels, joined by NUL. */
  readonly #labelled = new Map<string, number>()
  #plannedMs = 0
  #pastGate: GateTotals = { closures: 0, closedMs: 0 }
  steps: Plan['nodes'] = []
  #clients: readonly (readonly [string, Resource])[] = []
  #recordsRead = 0
  recordsCommitted = 0
  phase: JobPhase = 'starting'
  /** What has stopped the job, or stops it: its tasks may be finishing their epochs still. */
  failure: TidemarkError | null = null

  constructor(job: string, clock: Clock) {
    this.job = job
    this.#clock = clock
    this.startedMs = clock.now()
    this.#beganMs = clock.monotonicMs()
  }

  // What the runtime tells

  planned(plan: Plan): void {
    this.#plannedMs = this.#clock.monotonicMs()
    this.steps = plan.nodes
    for (const { step } of plan.sources) this.sources.add(step, 0)
    for (const { step } of [...plan.sinks, ...plan.followers]) this.sinks.add(step, 0)
    for (const { name, figures } of plan.nodes) if (figures.length > 0) this.#pastFigures.set(name, figures)
  }

  /** Clients by the name of their port. */
  connected(clients: readonly (readonly [string, Resource])[]): void {
    this.#clients = clients
  }

  joined(): void {
    if (this.phase === 'starting') this.phase = 'running'
  }

  started(task: MeasuredTask): void {
    this.#tasks.set(task.partition, task)
  }

  /** The task does nothing any more; what it has counted stays, and it is shown until its partition is revoked. */
  taskEnded(task: MeasuredTask): void {
    const { partition, state, trouble, gate } = task
    for (const [step, figures] of task.figures) addFigures(this.#pastFigures, step, figures.map(settled))
    this.#pastGate = sumGates([this.#pastGate, gate])
    if (this.#tasks.get(partition) !== task) return
    this.#tasks.set(partition, { ...nothingLeft, partition, state, trouble })
  }

  revoked(partition: number): void {
    this.#tasks.delete(partition)
    this.#partitions.delete(partition)
  }

  recovered(partition: number, epoch: number, backlog: number): void {
    // Later recoveries in the same run find a part of the same backlog.
    if (!this.#backlog.has(partition)) this.#backlog.set(partition, backlog)
    this.#partitions.set(partition, { epoch, records: this.#partitions.get(partition)?.records ?? 0 })
  }

  committed(partition: number, result: CommittedEpoch, tallies: ReadonlyMap<string, number>, flow: AttemptFlow): void {
    const { records, cut, phases, metadata } = result
    this.#recordsRead += records
    this.recordsCommitted += records
    this.checkpoints.add(cut)
    this.checkpointLatency.add(phases.drainMs + phases.commitMs)
    this.epochPhases.emitMs.add(phases.emitMs)
    this.epochPhases.drainMs.add(phases.drainMs)
    this.epochPhases.commitMs.add(phases.commitMs)
    this.epochPhases.applyMs.add(phases.applyMs)
    for (const { step, records: count } of flow.sources) this.sources.add(step, count)
    for (const { step, records: count } of flow.sinks) this.sinks.add(step, count)
    for (const [key, count] of tallies) this.#tallied(key, count)
    const before = this.#partitions.get(partition)?.records ?? 0
    this.#partitions.set(partition, { epoch: metadata.epoch, records: before + records })
    this.commits.push({
      atMs: this.startedMs + this.elapsedMs,
      partition,
      epoch: metadata.epoch,
      records,
      cut,
      phases,
    })
    if (this.commits.length > rememberedCommits) this.commits.shift()
  }

  abortedEpoch(error: TidemarkError, records: number): void {
    this.#recordsRead += records
    this.aborted.add(error.code)
  }

  /** Records that a bounded run has left behind transactions that are not decided, at its end. */
  undecided(partition: number, records: number): void {
    this.#undecided.set(partition, records)
  }

  /** The restart strategy lets a task go on after this failure. */
  restarting(error: TidemarkError): void {
    this.restarts.add(error.code)
  }

  /** The run is about to end with this error. */
  failing(error: TidemarkError): void {
    this.failure ??= error
  }

  /** Notes how the run ends; returns the same promise. */
  during<T>(run: Promise<T>): Promise<T> {
    const ended = (failure: TidemarkError | null): void => {
      this.failure = failure
      this.phase = failure === null ? 'ended' : 'failed'
    }
    run.then(
      () => {
        ended(null)
      },
      (error: unknown) => {
        ended(asTidemarkError(error, 'broken-invariant', 'The job stopped'))
      },
    )
    return run
  }

  // What is asked

  get elapsedMs(): number {
    return this.#clock.monotonicMs() - this.#beganMs
  }

  /** By partition. */
  get tasks(): readonly MeasuredTask[] {
    return [...this.#tasks.values()].toSorted((a, b) => a.partition - b.partition)
  }

  partition(partition: number): PartitionTotals | null {
    return this.#partitions.get(partition) ?? null
  }

  /** How long the run has taken since it was planned. */
  get durationMs(): number {
    return this.#clock.monotonicMs() - this.#plannedMs
  }

  /** Records that were waiting when the tasks were taken over. */
  get backlog(): number {
    return total(this.#backlog)
  }

  result(outcome: JobResult['outcome']): JobResult {
    const { emitMs, drainMs, commitMs, applyMs } = this.epochPhases
    return {
      outcome,
      records: this.recordsCommitted,
      epochs: this.checkpoints.total,
      undecided: total(this.#undecided),
      aborted: this.aborted.total,
      tallies: [...this.#labelled].map(([key, count]) => {
        const [name = '', ...labels] = key.split('\u0000')
        return { name, labels, count }
      }),
      phases: {
        emitMs: emitMs.sumMs,
        drainMs: drainMs.sumMs,
        commitMs: commitMs.sumMs,
        applyMs: applyMs.sumMs,
      },
      durationMs: this.durationMs,
      gate: this.gate,
    }
  }

  /** Emitted to the pipeline, the epoch under way and aborted ones included. */
  get recordsRead(): number {
    let records = this.#recordsRead
    for (const task of this.#tasks.values()) records += task.epochRecords
    return records
  }

  get gate(): GateTotals {
    return sumGates([this.#pastGate, ...[...this.#tasks.values()].map(({ gate }) => gate)])
  }

  /** What the steps count by themselves, over all tasks; only of steps that do. */
  get figures(): ReadonlyMap<string, readonly StepFigure[]> {
    const sums = new Map(this.#pastFigures)
    for (const { figures } of this.#tasks.values()) for (const [step, part] of figures) addFigures(sums, step, part)
    return sums
  }

  /** What steps have asked for and wait for now. */
  get inFlight(): number {
    const all = [...this.figures.values()].flat()
    return all.reduce((sum, it) => (it.kind === 'gauge' && it.shown === 'inFlight' ? sum + it.value : sum), 0)
  }

  /** What the clients count, by the name of their port. */
  get clients(): readonly (readonly [string, readonly Figure[]])[] {
    return this.#clients.map(([name, client]) => [name, client.figures?.() ?? []])
  }

  /**
   * A tally's key is its name and labels, joined by NUL. Labels may come from messages, so of them only an error code of ours is
   * looked at, and their number is bounded: what comes after counts without labels.
   */
  #tallied(key: string, count: number): void {
    const [name = '', label = ''] = key.split('\u0000', 2)
    const kept = this.#labelled.has(key) || this.#labelled.size < maxLabelled ? key : name
    this.#labelled.set(kept, (this.#labelled.get(kept) ?? 0) + count)
    if (name !== deadLetterTally) this.tallies.add(name, count)
    else this.deadLetters.add(Object.hasOwn(errorCodes, label) ? label : otherKey, count)
  }
}

/** A task that is over, but for what it is known by. */
const nothingLeft: Omit<MeasuredTask, 'partition' | 'state' | 'trouble'> = {
  troubledMs: 0,
  epochRecords: 0,
  pending: 0,
  gate: { closures: 0, closedMs: 0 },
  figures: [],
  lag: () => Promise.resolve(new Map()),
}

function total(counts: ReadonlyMap<number, number>): number {
  return [...counts.values()].reduce((sum, count) => sum + count, 0)
}

function addFigures(sums: Map<string, readonly StepFigure[]>, step: string, part: readonly StepFigure[]): void {
  const sum = sums.get(step)
  sums.set(step, sum === undefined ? part : sumOf(sum, part))
}

/** Of a task that is over, without what was only true at the moment. */
function settled(figure: StepFigure): StepFigure {
  return figure.kind === 'gauge' ? { ...figure, value: 0 } : figure
}

function sumGates(gates: readonly GateTotals[]): GateTotals {
  return gates.reduce((sum, gate) => ({
    closures: sum.closures + gate.closures,
    closedMs: sum.closedMs + gate.closedMs,
  }))
}
