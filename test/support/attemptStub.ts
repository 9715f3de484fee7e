import { EMPTY, Subject, type Observable } from 'rxjs'
import { systemClock, type Clock } from '../../src/core/ports/clock.ts'
import type {
  Limits,
  OperatorContext,
  SideOutput,
  SinkSpec,
  SourceSpec,
  Step,
  StepSpec,
} from '../../src/core/context.ts'
import { TidemarkError } from '../../src/core/errors.ts'
import { TaskGate } from '../../src/core/ports/gate.ts'
import type { KeyedState, StateCodec } from '../../src/core/ports/keyedState.ts'
import type { Logger } from '../../src/core/ports/logger.ts'
import type { Port, Resource } from '../../src/core/ports/port.ts'
import { systemRandom, type Random } from '../../src/core/ports/random.ts'
import { outputRefusal } from '../../src/core/outputRefusal.ts'
import { recordBytes, type OutputRecord, type StreamRecord } from '../../src/core/record.ts'

export interface AttemptStubOptions {
  /** Default: nothing is secret. */
  readonly mask?: (text: string) => string
  readonly clock?: Clock
  readonly random?: Random
  readonly log?: Logger
  readonly epoch?: number
  readonly limits?: Partial<Limits>
  readonly maxRecordBytes?: number
  /** How many every output topic has; default: as many as are asked for. */
  readonly partitions?: number
  /** What the output topics refuse besides. */
  readonly refusal?: (record: OutputRecord) => TidemarkError | null
  readonly maxStateBytes?: number
  readonly source$?: Observable<StreamRecord>
  readonly resources?: ReadonlyMap<string, Resource>
  /** What `Step.keep` made in an earlier attempt. */
  readonly kept?: Map<string, unknown>
}

/** A step that remembers what it was told. */
export class StepStub implements Step {
  readonly spec: StepSpec
  readonly name: string
  readonly errors: unknown[] = []
  readonly kept: Map<string, unknown>
  pending = 0
  unreachable: string | null = null
  entered = 0
  left = 0
  endings = 0

  constructor(spec: StepSpec, kept: Map<string, unknown>) {
    this.spec = spec
    this.name = spec.name ?? spec.kind
    this.kept = kept
  }

  enter(): void {
    this.entered += 1
  }

  leave(): void {
    this.left += 1
  }

  failed(error: unknown): void {
    this.errors.push(error)
  }

  ended(): void {
    this.endings += 1
  }

  keep<T>(create: () => T): T {
    if (!this.kept.has(this.name)) this.kept.set(this.name, create())
    // What is kept under a step's name was made by the same call of the same operator.
    return this.kept.get(this.name) as T
  }
}

/** A side output of the stub, which keeps all that was emitted. */
export class SideOutputStub<T> implements SideOutput<T> {
  readonly name: string
  readonly emitted: T[] = []
  readonly #subject = new Subject<T>()
  #completed = false

  constructor(name: string) {
    this.name = name
  }

  get records$(): Observable<T> {
    return this.#subject.asObservable()
  }

  emit(value: T): void {
    if (this.#completed) throw new TidemarkError('side-output-closed', `Side output ${this.name} is completed`)
    this.emitted.push(value)
    this.#subject.next(value)
  }

  complete(): void {
    this.#completed = true
    this.#subject.complete()
  }
}

/** One attempt without a runtime: a context for operators under test, and what they did with it. */
export interface AttemptStub {
  readonly context: OperatorContext
  readonly gate: TaskGate
  readonly gateOpenings: { count: number }
  readonly steps: StepStub[]
  readonly sources: SourceSpec[]
  readonly sinks: SinkSpec[]
  readonly sent: OutputRecord[]
  /** Counts by name and labels: `dead-letter malformed-json`. */
  readonly tallies: Map<string, number>
  readonly states: Map<string, Map<string, Buffer>>
  readonly kept: Map<string, unknown>
  sideOutput<T>(name: string): SideOutputStub<T>
}

const silent: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  with: () => silent,
}

export function attemptStub(options: AttemptStubOptions = {}): AttemptStub {
  const gateOpenings = { count: 0 }
  const gate = new TaskGate(options.clock ?? systemClock, () => {
    gateOpenings.count += 1
  })
  const stub = {
    gate,
    gateOpenings,
    steps: [] as StepStub[],
    sources: [] as SourceSpec[],
    sinks: [] as SinkSpec[],
    sent: [] as OutputRecord[],
    tallies: new Map<string, number>(),
    states: new Map<string, Map<string, Buffer>>(),
    kept: options.kept ?? new Map<string, unknown>(),
    sideOutput: <T>(name: string) => new SideOutputStub<T>(name),
  }
  const { maxRecordBytes = 1_000_000, resources = new Map<string, Resource>() } = options
  const context: OperatorContext = {
    job: 'job',
    settings: {},
    planning: false,
    partition: 0,
    epoch: options.epoch ?? 1,
    clock: options.clock ?? systemClock,
    random: options.random ?? systemRandom,
    log: options.log ?? silent,
    gate,
    limits: { epochBytes: 16 * 1024 * 1024, jsonMaxDepth: 256, ...options.limits },
    mask: options.mask ?? ((text) => text),
    step(spec) {
      const step = new StepStub(spec, stub.kept)
      stub.steps.push(step)
      return step
    },
    follow: () => ({ send: () => undefined, refusal: () => null }),
    source(_step, spec) {
      stub.sources.push(spec)
      return options.source$ ?? EMPTY
    },
    sink(_step, spec) {
      stub.sinks.push(spec)
      return {
        send: (record) => {
          stub.sent.push(record)
        },
        refusal: (record) => {
          const refusal = options.refusal?.(record) ?? null
          if (refusal !== null) return refusal
          if (record.partition !== null && record.partition >= (options.partitions ?? Infinity)) {
            return outputRefusal.noPartition(record.topic, record.partition)
          }
          const bytes = recordBytes(record)
          return bytes > maxRecordBytes ? outputRefusal.tooLarge(record.topic, bytes, maxRecordBytes) : null
        },
      }
    },
    sideOutput: (name) => stub.sideOutput(name),
    state: (_step, uid, codec) => keyedState(stub.states, uid, codec, options.maxStateBytes ?? Infinity),
    open<T extends Resource>(port: Port<T>): T {
      const resource = resources.get(port.name)
      if (resource === undefined) throw new TidemarkError('broken-invariant', `No resource for port ${port.name}`)
      // The test put it under its port's name.
      return resource as T
    },
    tally(name, labels = []) {
      const label = [name, ...labels].join(' ')
      stub.tallies.set(label, (stub.tallies.get(label) ?? 0) + 1)
    },
  }
  return { ...stub, context }
}

function keyedState<S>(
  states: Map<string, Map<string, Buffer>>,
  uid: string,
  codec: StateCodec<S>,
  maxBytes: number,
): KeyedState<S> {
  const entries = states.get(uid) ?? new Map<string, Buffer>()
  states.set(uid, entries)
  return {
    get(key) {
      const bytes = entries.get(key.toString('hex'))
      return bytes === undefined ? undefined : codec.decode(bytes)
    },
    set(key, value) {
      const bytes = codec.encode(value)
      if (bytes.length > maxBytes)
        throw new TidemarkError('state-too-large', `The state has ${String(bytes.length)} bytes`)
      entries.set(key.toString('hex'), bytes)
    },
    delete(key) {
      entries.delete(key.toString('hex'))
    },
  }
}
