import type { Observable } from 'rxjs'
import type { Clock } from '../../core/ports/clock.ts'
import type {
  FollowSpec,
  FollowerSink,
  Limits,
  OperatorContext,
  SideOutput,
  Sink,
  SinkSpec,
  SourceSpec,
  Step,
  StepSpec,
} from '../../core/context.ts'
import { checkText } from '../../core/mistakes.ts'
import { refuseTo } from '../../core/stepOptions.ts'
import type { DeadLetter } from '../../core/deadLetter.ts'
import { TidemarkError } from '../../core/errors.ts'
import type { Gate } from '../../core/ports/gate.ts'
import type { KeyedState, StateCodec } from '../../core/ports/keyedState.ts'
import type { Logger } from '../../core/ports/logger.ts'
import type { Port, Resource } from '../../core/ports/port.ts'
import type { Random } from '../../core/ports/random.ts'
import { StreamRecord } from '../../core/record.ts'
import type { StateAttempt } from '../../core/ports/taskState.ts'
import type { UnreadRecord } from '../../core/unreadRecord.ts'
import type { RunnableJob } from '../plan/runnableJob.ts'
import { AttemptStep, type Kept } from './attemptStep.ts'
import { AttemptSideOutput } from './attemptSideOutput.ts'
import type { AttemptOwner } from './guards.ts'
import { SourceGroup, type StepCount } from './sourceGroup.ts'

/** What an attempt stands on. The planning build has sinks that discard, and no state. */
export interface AttemptEnvironment {
  readonly job: RunnableJob
  readonly planning: boolean
  /** Planning with sources that stay open after their subscription, as they do while records flow. */
  readonly rehearsing?: boolean
  readonly partition: number
  readonly epoch: number
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  readonly gate: Gate
  readonly limits: Limits
  /** By step. */
  readonly kept: Map<string, Kept>
  readonly state: StateAttempt | null
  sink(spec: SinkSpec): Sink
  follow(spec: FollowSpec): FollowerSink
  open<T extends Resource>(port: Port<T>): T
  /** Something of a completed attempt was used after its end: records are lost, the job must stop. */
  lostAfterCommit(error: TidemarkError): void
}

/** What went in and out of one attempt. */
export interface AttemptFlow {
  readonly sources: readonly StepCount[]
  readonly sinks: readonly StepCount[]
}

/** A sink as the plan knows it. */
export interface PlannedSink {
  readonly step: string
  readonly spec: SinkSpec
}

/** A sink that follows the commit, as the plan knows it. */
export interface PlannedFollower {
  readonly step: string
  readonly spec: FollowSpec
  /** Whether rows that its target refuses have somewhere to go; else they stop the job. */
  readonly hasDeadLetters: boolean
}

/**
 * The context of one attempt: what its pipeline is built with, and a register of what was built. Everything it hands out
 * asks its attempt first whether it is still open.
 */
export class AttemptContext implements OperatorContext {
  readonly job: string
  readonly settings: unknown
  readonly planning: boolean
  readonly partition: number
  readonly epoch: number
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  readonly gate: Gate
  readonly limits: Limits
  readonly steps: AttemptStep[] = []
  readonly sources: SourceGroup
  readonly sideOutputs: AttemptSideOutput<unknown>[] = []
  readonly sinks: PlannedSink[] = []
  readonly followers: PlannedFollower[] = []
  readonly #sent: StepCount[] = []
  /** What opens the gate again, for each time that an operator holds it closed. */
  readonly #gateHolds = new Set<() => void>()
  readonly ports: Set<Port<Resource>> = new Set<Port<Resource>>()
  /** Events counted in this attempt; keys are name and labels joined by NUL. */
  readonly tallies: Map<string, number> = new Map<string, number>()
  readonly #environment: AttemptEnvironment
  readonly #attempt: AttemptOwner

  constructor(environment: AttemptEnvironment, attempt: AttemptOwner) {
    this.#environment = environment
    this.#attempt = attempt
    this.job = environment.job.name
    this.settings = environment.job.settings
    this.planning = environment.planning
    this.partition = environment.partition
    this.epoch = environment.epoch
    this.clock = environment.clock
    this.random = environment.random
    this.log = environment.log
    this.gate = this.#ownGate(environment.gate)
    this.limits = environment.limits
    this.sources = new SourceGroup(attempt)
  }

  step(spec: StepSpec): Step {
    this.#attempt.assertOpen(`operator ${spec.kind}`)
    const base = spec.name ?? spec.kind
    let name = base
    for (let copy = 2; this.steps.some((step) => step.name === name); copy += 1) name = `${base}-${String(copy)}`
    const step = new AttemptStep(name, spec, this.#attempt, this.#environment.kept)
    this.steps.push(step)
    return step
  }

  source(step: Step, spec: SourceSpec): Observable<StreamRecord> {
    this.#attempt.assertOpen(`source '${step.name}'`)
    return this.sources.add(step.name, spec)
  }

  sink(step: Step, spec: SinkSpec): Sink {
    const use = `sink '${step.name}'`
    this.#attempt.assertOpen(use)
    this.sinks.push({ step: step.name, spec })
    const sink = this.#environment.sink(spec)
    const sent = this.#sentBy(step)
    return {
      send: (record) => {
        this.#attempt.assertOpen(use)
        sink.send(record)
        sent.records += 1
      },
      refusal: (record) => sink.refusal(record),
    }
  }

  follow(step: Step, spec: FollowSpec): FollowerSink {
    const use = `sink '${step.name}'`
    this.#attempt.assertOpen(use)
    checkText({ operator: step.name, option: 'uid', example: "uid: 'events'" }, spec.uid)
    const hasDeadLetters = this.#onErrorOf(step.name) !== undefined
    this.followers.push({ step: step.name, spec, hasDeadLetters })
    // What it opens is connected before the first epoch.
    if (this.planning) spec.follower((port) => this.open(port))
    const sink = this.#environment.follow(spec)
    const sent = this.#sentBy(step)
    // Nobody asks for more than the position where there are no dead letters.
    const logged = (origin: StreamRecord<unknown> | null): StreamRecord<unknown> | null =>
      hasDeadLetters || origin === null ? origin : positionOf(origin)
    return {
      send: (row, origin) => {
        this.#attempt.assertOpen(use)
        sink.send(row, logged(origin))
        sent.records += 1
      },
      refusal: (row, origin) => sink.refusal(row, logged(origin)),
    }
  }

  /** Rows of earlier epochs that their targets have refused become dead letters of this one. */
  passRefused(uid: string, error: TidemarkError, origin: StreamRecord<unknown>): void {
    const { step } = this.followers.find(({ spec }) => spec.uid === uid) ?? {}
    refuseTo(this, step === undefined ? undefined : this.#onErrorOf(step))(error, origin)
  }

  /**
   * What could not be read goes where the job's bad records go: by its position, in this epoch's commit. A job that has no
   * such place passes it where somebody has asked for that.
   *
   * @throws TidemarkError `unreadable-input`
   */
  passUnread(record: UnreadRecord): void {
    const { onError } = this.steps.find(({ spec }) => spec.onError !== undefined)?.spec ?? {}
    if (onError !== undefined) {
      refuseTo(this, onError)(record.error, record)
      return
    }
    if (!record.skipped) throw nowhereToGo(record)
    this.tally('skipped', [record.error.code])
    const { topic, partition, offset, next, error } = record
    this.log.warn('What cannot be read is passed, as --skip says', {
      topic,
      partition,
      offset,
      next,
      reason: error.message,
    })
  }

  #onErrorOf(step: string): SideOutput<DeadLetter> | undefined {
    return this.steps.find(({ name }) => name === step)?.spec.onError
  }

  #sentBy({ name }: Step): { readonly step: string; records: number } {
    const sent = { step: name, records: 0 }
    this.#sent.push(sent)
    return sent
  }

  /** The gate is the task's: what this attempt has left closed must not stop the next one. */
  releaseGate(): void {
    for (const open of this.#gateHolds) open()
  }

  #ownGate(gate: Gate): Gate {
    return {
      get closed() {
        return gate.closed
      },
      close: () => {
        this.#attempt.assertOpen('gate')
        const open = gate.close()
        const release = (): void => {
          this.#gateHolds.delete(release)
          open()
        }
        this.#gateHolds.add(release)
        return release
      },
    }
  }

  /** What went in and out of this attempt so far. */
  get flow(): AttemptFlow {
    return { sources: this.sources.counts, sinks: this.#sent }
  }

  sideOutput<T>(name: string): AttemptSideOutput<T> {
    this.#attempt.assertOpen(`side output '${name}'`)
    if (this.sideOutputs.some((other) => other.name === name)) {
      throw new TidemarkError('invalid-plan', `Two side outputs are named '${name}'. Give each its own name`)
    }
    const output = new AttemptSideOutput<T>(name, this.#attempt)
    this.sideOutputs.push(output)
    return output
  }

  state<S>(step: Step, uid: string, codec: StateCodec<S>): KeyedState<S> {
    const use = `state of ${step.name}`
    this.#attempt.assertOpen(use)
    const { state } = this.#environment
    const keyed = state === null ? noState<S>() : state.keyed(uid, codec)
    return {
      get: (key) => {
        this.#attempt.assertOpen(use)
        return keyed.get(key)
      },
      set: (key, value) => {
        this.#attempt.assertOpen(use)
        keyed.set(key, value)
      },
      delete: (key) => {
        this.#attempt.assertOpen(use)
        keyed.delete(key)
      },
    }
  }

  open<T extends Resource>(port: Port<T>): T {
    this.#attempt.assertOpen(`port ${port.name}`)
    this.ports.add(port)
    return this.#environment.open(port)
  }

  mask(text: string): string {
    return this.#environment.job.secrets.mask(text)
  }

  tally(name: string, labels: readonly string[] = []): void {
    this.#attempt.assertOpen(`tally '${name}'`)
    const key = tallyKey(name, labels)
    const before = this.tallies.get(key)
    // What comes after the limit counts without labels.
    if (before === undefined && this.tallies.size >= maxTallies) {
      this.tallies.set(name, (this.tallies.get(name) ?? 0) + 1)
    } else this.tallies.set(key, (before ?? 0) + 1)
  }
}

function positionOf({ topic, partition, offset }: StreamRecord<unknown>): StreamRecord<unknown> {
  return new StreamRecord<unknown>(topic, partition, offset, 0, null, [], null, null)
}

function nowhereToGo({ error, topic, partition, offset }: UnreadRecord): TidemarkError {
  return new TidemarkError(
    'unreadable-input',
    `${error.message}, and the job has no side output for bad records that it could go to. Give an operator one (onError), raise that setting, or pass it, once, with --skip ${topic}:${String(partition)}@${String(offset)}`,
    { cause: error, details: { ...error.details, topic, partition, offset } },
  )
}

/** Different tallies that one attempt keeps, and the length of a label: both may come from messages. */
const maxTallies = 1_000
const maxLabelLength = 200

/** Planning has no records, so this state is never asked. */
function noState<S>(): KeyedState<S> {
  return { get: () => undefined, set: () => undefined, delete: () => undefined }
}

/** Name and labels in one text; labels may come from messages, so the separator is taken out of them. */
function tallyKey(name: string, labels: readonly string[]): string {
  let key = name
  for (const label of labels) {
    // A copy, because a part of a string keeps the whole of it alive.
    const cut = label.length > maxLabelLength ? Buffer.from(label.slice(0, maxLabelLength)).toString() : label
    key += `\u0000${cut.includes('\u0000') ? cut.replaceAll('\u0000', '\ufffd') : cut}`
  }
  return key
}
