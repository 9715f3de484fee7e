import { TidemarkError } from '../../core/errors.ts'
import type { Random } from '../../core/ports/random.ts'
import type { Provision } from '../../core/ports/system.ts'
import type { SettingSpecs } from '../../core/setting.ts'
import type { Job } from '../../runtime/plan/defineJob.ts'
import type { MemoryTargetOptions } from '../world/memoryFollower.ts'
import { MemoryTables } from '../world/memoryTables.ts'
import type { MemoryTopicOptions } from '../world/memoryTopic.ts'
import { seededRandom } from '../world/seededRandom.ts'
import { testSettings } from '../kit/testEnvironment.ts'
import type { TestTopics } from '../kit/testSource.ts'
import { epochLengthViolation } from './epochLengthViolation.ts'
import {
  faultKinds,
  randomFaults,
  callClasses,
  maxFaultMs,
  type Fault,
  type FaultKind,
  type FaultyParts,
} from './faults.ts'
import { layOut } from './inputs.ts'
import { checkOrder, compareOutcomes, type Violation } from './invariants.ts'
import { plannedJob, type Scenario, type WorldEnd, type WorldPlan } from './worldPlan.ts'
import { positionOfHeader, type Outcome, type PositionOf } from './outcome.ts'
import { SimulatedWorld, worldStartMs } from './simulatedWorld.ts'
import { SimulationFailure } from './simulationFailure.ts'
import { changingTopics } from './topicLives.ts'
import { rowsNamedBy } from './tableTroubles.ts'

export interface SimulateOptions extends Seeds {
  /** Input by topic: items, or `testTopic`s; or a function that makes it from the seed's randomness. */
  readonly topics: TestTopics | ((random: Random) => TestTopics)
  /** Tables with rows, as `tidemark table load` takes them, or `MemoryTables` for latency, errors and timeouts. */
  readonly tables?: readonly unknown[] | MemoryTables
  /** How the system keeps what sinks under `memoryTargetPort` write to it. */
  readonly target?: MemoryTargetOptions
  /** Doubles for the ports of the job's own systems: `provided(port, () => double)`; each process has one of its own. */
  readonly provide?: readonly Provision<unknown>[]
  /** Output topics that differ from what they are by default: in partitions, sizes, or in what they refuse. */
  readonly outputs?: Readonly<Record<string, MemoryTopicOptions>>
  /** Settings of the framework and the job by key. */
  readonly settings?: Readonly<Record<string, string>>
  /** How many processes share the job; one of these by the seed. Default `[1, 2, 3]`. */
  readonly processes?: readonly number[]
  /** Partitions of topics that do not say how many. Default 3. */
  readonly partitions?: number
  /** Records that arrive per virtual second in each topic. Default 1,000. */
  readonly perSecond?: number
  /** Longest epochs in ms; one of these by the seed, and the results must not depend on it. Default `[5, 40, 1_000]`. */
  readonly epochLengths?: readonly number[]
  /** What may go wrong. Default: everything. */
  readonly faults?: readonly FaultKind[]
  /** Most faults in one run. Default 8. */
  readonly maxFaults?: number
  /** Exactly these faults instead of random ones. */
  readonly history?: readonly Fault[]
  /** The input position, `topic partition@offset`, of an output. Default: by a header that outputs keep from their input. */
  readonly positionOf?: PositionOf
  /** Outputs of one input partition, or of one key of it, stand in the order of their inputs. Default `none`. */
  readonly order?: 'none' | 'key' | 'partition'
  /** Invariants of the job's own, by name: what is wrong with what a run has left, or null. */
  readonly invariants?: Readonly<Record<string, (outcome: Outcome) => string | null>>
  /** Virtual ms after the last trouble within which all input must be committed. Default 300,000. */
  readonly progressMs?: number
  /** Whether the history of a failure is made as small as can be, which costs up to 400 runs. Default true. */
  readonly shrink?: boolean
  /** The command that runs the test, for the failure's last line. Default `npm test`. */
  readonly repeat?: string
}

/** What a simulation that found nothing has gone through. */
export interface SimulationReport {
  readonly seeds: number
  /** Calls to the outside. */
  readonly calls: number
  readonly commits: number
  readonly virtualMs: number
  /** How often each kind of fault has struck. */
  readonly faults: ReadonlyMap<FaultKind, number>
  /** What happened, one line an event; only where a single seed was run. */
  readonly timeline: readonly string[]
  /** What the last seed has left. */
  readonly outcome: Outcome
}

/**
 * Runs a job, as it is, in worlds where things go wrong, and holds what comes of it against a run where nothing does.
 *
 *     await simulate(job, { topics: { input: ['a', 'b', 'c'] }, seeds: 200 })
 *
 * A seed decides everything: how long each call to the log, the tables and the disk takes, which faults strike at which
 * call, how many processes there are and how long their epochs. The same seed gives the same run, always.
 *
 * Checked at every commit: it goes on where the last one ended, and holds the outputs of exactly the input that it passes,
 * so that offsets are never ahead of outputs. Checked at the end: each position once in outputs or dead letters, the same
 * results and the same keyed state as without faults, order where asked, everything committed within `progressMs` of the
 * last fault, a clean stop. Checked first: the same results for every epoch length, and in every run.
 *
 * A record may become a dead letter of its lookup only where requests for its own row were lost or delayed one by one, more
 * often or longer than its lookup bears, and meet another row only where that row has changed. What strikes all requests at
 * a time, and what strikes the process, may change nothing.
 * Checkpoints time out after 10 s at most, so that late answers are met.
 *
 * Topics appear, grow, go and come back where one source of a job without keyed state reads several by a pattern. The job is
 * given all records of all topics in any case, and those of one that comes back once more; their positions begin with
 * `<topic> again`.
 *
 * @throws SimulationFailure with the smallest history of faults that still fails, its timeline, and the command that
 *   repeats it. `TIDEMARK_SEED` in the environment replaces `seeds`.
 */
export async function simulate<Specs extends SettingSpecs>(
  job: Job<Specs>,
  options: SimulateOptions,
): Promise<SimulationReport> {
  const seeds = seedsOf(options)
  const faults = new Map<FaultKind, number>()
  let calls = 0
  let commits = 0
  let virtualMs = 0
  let last: WorldEnd | null = null
  let basis: Basis<Specs> | null = null
  for (const seed of seeds) {
    // The run without faults is the same for all seeds, unless each has input of its own.
    if (basis === null || typeof options.topics === 'function') basis = await prepare(job, options, seed)
    const plan = planOf(basis, options, seed, seeds.length === 1)
    const end = await runOnce(basis, options, plan)
    if (end.violation !== null) throw await failureOf(basis, options, plan, end.violation)
    for (const kind of end.struck) faults.set(kind, (faults.get(kind) ?? 0) + 1)
    calls += end.calls
    commits += end.commits
    virtualMs += end.virtualMs
    last = end
  }
  const outcome = last?.outcome ?? nothing
  return { seeds: seeds.length, calls, commits, virtualMs, faults, timeline: last?.timeline ?? [], outcome }
}

const nothing: Outcome = {
  positions: new Map(),
  looseTopics: new Set(),
  followedTopics: new Set(),
  unplaced: [],
  state: new Map(),
  order: new Map(),
}

/** What all seeds stand on: the job in its settings, its input, and what comes of it when nothing goes wrong. */
interface Basis<Specs extends SettingSpecs> {
  readonly scenario: Scenario<Specs>
  readonly reference: Outcome
  readonly parts: FaultyParts
}

const defaultEpochLengths: readonly number[] = [5, 40, 1_000]

async function prepare<Specs extends SettingSpecs>(
  job: Job<Specs>,
  options: SimulateOptions,
  seed: number,
): Promise<Basis<Specs>> {
  const { topics, tables = [], settings = {}, partitions = 3, perSecond = 1_000 } = options
  const given = typeof topics === 'function' ? topics(seededRandom(seed)) : topics
  const inputs = layOut(given, { partitions, perSecond, startMs: worldStartMs })
  const rows = tables instanceof MemoryTables ? tables : new MemoryTables(tables)
  const resolved = testSettings(job, settings, true)
  const planned = plannedJob(job, resolved)
  // Only the header tells a record from that of another topic of the same name.
  const changing = options.positionOf === undefined ? changingTopics(inputs, planned.freeInputs) : []
  const scenario: Scenario<Specs> = {
    job,
    settings: resolved,
    inputs,
    changing,
    tables: rows,
    target: options.target,
    provide: options.provide,
    ...planned,
    rowOf: rowsNamedBy(inputs, rows),
    partitions,
    outputs: options.outputs ?? {},
    positionOf: options.positionOf ?? positionOfHeader,
    progressMs: options.progressMs ?? 300_000,
  }
  const run = (plan: WorldPlan): Promise<WorldEnd> => new SimulatedWorld(scenario, plan).run()
  const calm = { seed: 0, processes: 1, faults: [], calm: true, reference: null }
  const { violation, intervalMs, reference, parts } = await epochLengthViolation(
    options.epochLengths ?? defaultEpochLengths,
    (length) => run({ ...calm, intervalMs: length, record: false }),
    (outcome) => ownViolation(outcome, options),
  )
  if (violation === null) return { scenario, reference, parts: { ...parts, topics: changing.length > 1 } }
  const plan = { ...calm, intervalMs, record: true }
  const { timeline } = await run(plan)
  throw new SimulationFailure({
    job: job.name,
    violation,
    plan,
    faultsAtFirst: 0,
    timeline,
    repeat: options.repeat ?? 'npm test',
  })
}

function planOf<Specs extends SettingSpecs>(
  { reference, parts }: Basis<Specs>,
  options: SimulateOptions,
  seed: number,
  record: boolean,
): WorldPlan {
  const {
    processes = [1, 2, 3],
    epochLengths = defaultEpochLengths,
    faults = faultKinds,
    maxFaults = 8,
    history,
  } = options
  const random = seededRandom(seed)
  const pick = (choices: readonly number[], otherwise: number): number =>
    choices[Math.floor(random.next() * choices.length)] ?? otherwise
  return {
    seed,
    processes: pick(processes, 1),
    intervalMs: pick(epochLengths, 40),
    faults: history ?? randomFaults(random, { kinds: faults, parts, most: maxFaults }),
    calm: false,
    reference,
    record,
  }
}

async function runOnce<Specs extends SettingSpecs>(
  { scenario, reference }: Basis<Specs>,
  options: SimulateOptions,
  plan: WorldPlan,
): Promise<WorldEnd> {
  const end = await new SimulatedWorld(scenario, plan).run()
  if (end.violation !== null) return end
  // What is read again after a reset stands behind what was read before.
  const own = end.passes.several ? { ...options, order: 'none' as const } : options
  const violation = compareOutcomes(end.outcome, reference, end) ?? ownViolation(end.outcome, own)
  return { ...end, violation }
}

function ownViolation(outcome: Outcome, { order = 'none', invariants = {} }: SimulateOptions): Violation | null {
  const disorder = order === 'none' ? null : checkOrder(outcome, order)
  if (disorder !== null) return disorder
  for (const [invariant, check] of Object.entries(invariants)) {
    const message = check(outcome)
    if (message !== null) return { invariant, message }
  }
  return null
}

async function failureOf<Specs extends SettingSpecs>(
  basis: Basis<Specs>,
  options: SimulateOptions,
  plan: WorldPlan,
  { invariant }: Violation,
): Promise<SimulationFailure> {
  const stillFails = async (history: readonly Fault[]): Promise<boolean> => {
    const { violation } = await runOnce(basis, options, { ...plan, faults: history, record: false })
    return violation?.invariant === invariant
  }
  const faults = options.shrink === false ? plan.faults : await shrinkFaults(plan.faults, stillFails)
  const smallest = { ...plan, faults, record: true }
  const { violation, timeline } = await runOnce(basis, options, smallest)
  return new SimulationFailure({
    job: basis.scenario.job.name,
    violation: violation ?? {
      invariant,
      message: 'it did not break again when it was repeated: the job depends on more than the seed',
    },
    plan: smallest,
    faultsAtFirst: plan.faults.length,
    timeline,
    repeat: options.repeat ?? 'npm test',
  })
}

/** Which seeds are run. */
export interface Seeds {
  /** This one only; the report then holds its timeline. */
  readonly seed?: number
  /** So many, from 1 or `from` on. Default 100. */
  readonly seeds?: number | { readonly from: number; readonly count: number }
}

/** The seeds that the options name, or the one in the environment's TIDEMARK_SEED. */
function seedsOf({ seed, seeds = 100 }: Seeds): readonly number[] {
  const wanted = process.env['TIDEMARK_SEED']
  if (wanted !== undefined && wanted !== '') return [checkSeed(Number(wanted))]
  if (seed !== undefined) return [checkSeed(seed)]
  const { from, count } = typeof seeds === 'number' ? { from: 1, count: seeds } : seeds
  return Array.from({ length: count }, (_, index) => checkSeed(from + index))
}

function checkSeed(seed: number): number {
  if (Number.isSafeInteger(seed)) return seed
  throw new TidemarkError(
    'invalid-argument',
    `A seed must be an integer below 2^53, not ${String(seed)}; for example 17.`,
  )
}

/** Histories that are tried at most; each is a run of the whole world. */
const maxTries = 400

/**
 * The smallest history that still fails: with fewer faults, simpler ones, at earlier calls and for shorter times.
 *
 * @param fails runs a history and says whether it breaks the same invariant.
 */
async function shrinkFaults(
  faults: readonly Fault[],
  fails: (faults: readonly Fault[]) => Promise<boolean>,
): Promise<readonly Fault[]> {
  // Only who has a failure to look at needs it.
  const { array, asyncProperty, check, constantFrom, nat, record } = await import('fast-check')
  const fault = record({
    kind: constantFrom(...faultKinds),
    call: constantFrom(...callClasses),
    nth: nat(1_000),
    ms: nat(maxFaultMs),
  })
  let tries = 0
  let smallest = faults
  const holds = asyncProperty(array(fault, { maxLength: Math.max(10, faults.length) }), async (history) => {
    tries += 1
    if (tries > maxTries || !(await fails(history))) return true
    smallest = history
    return false
  })
  await check(holds, { examples: [[[...faults]]], numRuns: 1 })
  return smallest
}
