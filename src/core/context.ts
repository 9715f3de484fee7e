import type { Observable } from 'rxjs'
import { invalidArgument } from './mistakes.ts'
import type { Clock } from './ports/clock.ts'
import type { Follower } from './ports/follower.ts'
import type { DeadLetter } from './deadLetter.ts'
import type { TidemarkError } from './errors.ts'
import type { StepFigure } from './figures.ts'
import type { Gate } from './ports/gate.ts'
import type { TopicSelection } from './topicSelection.ts'
import type { KeyedState, StateCodec } from './ports/keyedState.ts'
import type { Logger } from './ports/logger.ts'
import type { Port, Resource } from './ports/port.ts'
import type { Random } from './ports/random.ts'
import type { OutputRecord, StreamRecord } from './record.ts'
import type { StartMode } from './startMode.ts'
import type { Guarantee } from './ports/outputs.ts'

/**
 * A side output of one epoch attempt. It completes when every pipeline returned before its consumer has completed.
 * Emitting to a completed, unreturned or foreign one breaks an invariant (`side-output-closed`).
 */
export interface SideOutput<T> {
  readonly name: string
  readonly records$: Observable<T>
  emit(value: T): void
}

/** How an operator names itself to the task. */
export interface StepSpec {
  /** The operator: `asyncLookup`. */
  readonly kind: string
  /** Shown in the plan, metrics and logs; default: the kind, numbered when it repeats. */
  readonly name?: string
  /** Identity of the step's state; two steps of a job may not share one. */
  readonly uid?: string
  /** Where its bad records go. */
  readonly onError?: SideOutput<DeadLetter>
  /** What the plan says about it: topics, limits. */
  readonly details?: Readonly<Record<string, string | number | boolean>>
  /** What it is to the pipeline; default `operator`. */
  readonly role?: 'source' | 'operator' | 'sink'
  /** The longest a record may stay inside, what is done to tell an outage from its own fault included. Default 0. */
  readonly longestWaitMs?: number
  /** What it counts besides the records that pass it, all at zero; `Step.keep` tells the values. */
  readonly figures?: readonly StepFigure[]
}

/**
 * An operator as the task knows it, for one epoch attempt. An operator registers once when the pipeline is built, brackets
 * the subscription to its source with `enter`/`leave` (see `operate`), and keeps `pending` true to the facts.
 */
export interface Step {
  readonly name: string
  /** Records taken in and not yet passed on. Torn down above zero, the attempt has lost records: a guard stops the job. */
  pending: number
  /**
   * The system the operator waits for and has seen not to answer, else null. A checkpoint that times out meanwhile is
   * abandoned without being counted as a failure.
   */
  unreachable: string | null
  /** Called around the subscription to the operator's own source; the nesting gives the plan its edges. */
  enter(): void
  leave(): void
  /** Reports an error the operator sends down the pipeline; one that never reaches the end stops the job. */
  failed(error: unknown): void
  /** Reports that the operator's subscription has ended, whatever the reason. */
  ended(): void
  /**
   * A value that lives as long as the task, over all attempts: limiters, statistics. Made at the first call. `figures`: what
   * it has counted, for metrics.
   */
  keep<T>(create: () => T, figures?: (kept: T) => readonly StepFigure[]): T
}

/** What `fromKafka` asks for. */
export interface SourceSpec {
  readonly topics: TopicSelection
  readonly groupId: string
  readonly startFrom: StartMode
}

/** What a sink asks for. */
export interface SinkSpec {
  /** Known topics; empty when chosen per record. */
  readonly topics: readonly string[]
  readonly guarantee: Guarantee
  readonly transactionalIdPrefix: string | null
}

/** The end of a pipeline: appends to the epoch's transaction. */
export interface Sink {
  send(record: OutputRecord): void
  /** Why the record's topic is known not to take it; null where nothing is known against it. */
  refusal(record: OutputRecord): TidemarkError | null
}

/** What a sink asks for whose system cannot join the commit, and follows it. */
export interface FollowSpec {
  /**
   * Identity of the sink among those of the job, as long as it runs: its rows in the write-ahead log and its record in the
   * target are found by it.
   */
  readonly uid: string
  /**
   * Makes what writes the rows, and does nothing else. Called to plan, with clients that are not connected, and then once in
   * each process: for all tasks and epochs. It is connected after the clients that it has opened, and closed before them.
   */
  readonly follower: (open: <T extends Resource>(port: Port<T>) => T) => Follower
}

/**
 * The end of a pipeline whose rows are sent when their epoch has committed. They stand in its commit meanwhile, so whatever
 * becomes of process and target, they get there once.
 */
export interface FollowerSink {
  /** Logs a row; its bytes count for the epoch's limit. `origin`: the record it came from, if it came from one. */
  send(row: Buffer, origin: StreamRecord<unknown> | null): void
  /** Why the write-ahead log does not take a row, `record-too-large`; null: it does. */
  refusal(row: Buffer, origin: StreamRecord<unknown> | null): TidemarkError | null
}

/** Limits that operators share. */
export interface Limits {
  /** Bytes of input, output and state delta at which an epoch is cut. */
  readonly epochBytes: number
  /** Deepest nesting of JSON that is decoded. */
  readonly jsonMaxDepth: number
}

/**
 * What `pipeline(context)` is given: once to plan, and then for every epoch attempt. Everything it hands out belongs to
 * that attempt and throws `stale-context` after its end.
 */
export interface PipelineContext<Settings = unknown> {
  readonly job: string
  /** The job's own settings, decoded. */
  readonly settings: Settings
  /** What a pipeline waits for, it waits for on this clock: tests then need not wait. */
  readonly clock: Clock
  readonly log: Logger
  sideOutput<T>(name: string): SideOutput<T>
  /** Counts an event of this attempt; it shows in the job's tallies only when the epoch commits. */
  tally(name: string, labels?: readonly string[]): void
  /** A text without the job's secrets, for what goes elsewhere: an error may quote any of them. */
  mask(text: string): string
}

/** The same, and what operators are made of; see `operatorContext`. */
export interface OperatorContext<Settings = unknown> extends PipelineContext<Settings> {
  /** True while the job is only being planned: sources are empty and sinks discard. */
  readonly planning: boolean
  readonly partition: number
  /** The number of the epoch that is attempted. */
  readonly epoch: number
  readonly random: Random
  readonly gate: Gate
  readonly limits: Limits
  /** Registers an operator; once, when the pipeline is built. */
  step(spec: StepSpec): Step
  source(step: Step, spec: SourceSpec): Observable<StreamRecord>
  sink(step: Step, spec: SinkSpec): Sink
  /**
   * A sink into a system that cannot join the commit. A row that the target refuses for good becomes a dead letter of the
   * step's `onError` in a later epoch, and stops the job where there is none.
   */
  follow(step: Step, spec: FollowSpec): FollowerSink
  state<S>(step: Step, uid: string, codec: StateCodec<S>): KeyedState<S>
  /** What the world provides under a port; connected before the first epoch. */
  open<T extends Resource>(port: Port<T>): T
}

/**
 * What an operator works with, of the context that its job hands on.
 *
 * @throws TidemarkError `invalid-argument` for what is no context of `pipeline(context)`, or a copy without its methods.
 */
export function operatorContext<Settings>(context: PipelineContext<Settings>): OperatorContext<Settings> {
  if (isOperatorContext(context)) return context
  const place = { operator: 'operatorContext', option: 'context', example: 'fromKafka(context, { topic, groupId })' }
  throw invalidArgument(place, context, 'the context that pipeline(context) is given')
}

function isOperatorContext<Settings>(context: PipelineContext<Settings>): context is OperatorContext<Settings> {
  const given: unknown = context
  return typeof given === 'object' && given !== null && 'step' in given && typeof given.step === 'function'
}
