import type { Timer } from '../../core/ports/clock.ts'
import { asTidemarkError, type TidemarkError } from '../../core/errors.ts'
import type { JobLogSpec } from '../../core/ports/jobLog.ts'
import { noTopicMatches, partitionsChanged, unknownTopic } from '../../core/topicErrors.ts'
import { selectInputs } from '../../core/topicSelection.ts'
import type { MemoryGroup } from './memoryGroup.ts'
import type { MemoryLog } from './memoryLog.ts'
import type { TestProcess } from './testProcess.ts'

/** Between two look-ups because of an input that does not exist. */
const missingLookUpMs = 1_000

/** Partition count by topic of everything that is selected now. */
export function inputsIn(
  log: Pick<MemoryLog, 'topic' | 'topicId' | 'topicNames'>,
  spec: Pick<JobLogSpec, 'inputs' | 'dropInputs'>,
): ReadonlyMap<string, number> {
  return selectInputs(spec, {
    partitions: (name) =>
      log.topicId(name) === null && spec.dropInputs?.includes(name) === true
        ? undefined
        : log.topic(name).partitions.length,
    names: log.topicNames,
    missing: (input) => (typeof input === 'string' ? unknownTopic(input) : noTopicMatches(input)),
  })
}

export interface MemoryDiscoveryOptions {
  readonly log: MemoryLog
  readonly spec: Pick<JobLogSpec, 'inputs' | 'dropInputs' | 'copartitioned'>
  readonly process: TestProcess
  readonly group: MemoryGroup
  readonly intervalMs: number
  /** Partition count by topic, as this process last knew it. */
  counts(): ReadonlyMap<string, number>
  /** The group cannot be used with the inputs as they are now. */
  failed(failure: TidemarkError): void
}

/**
 * The inputs of a group while it runs, as one of its processes sees them: it looks from time to time, and has the tasks dealt
 * out anew when topics have begun to match, have grown, or are gone.
 */
export class MemoryDiscovery {
  readonly #options: MemoryDiscoveryOptions
  #timer: Timer | null = null
  #lookedMs = -Infinity
  /** The last look-up found that an input is missing that may not be. */
  #lacksInputs = false
  #ended = false

  constructor(options: MemoryDiscoveryOptions) {
    this.#options = options
  }

  begin(): void {
    this.#schedule()
  }

  end(): void {
    this.#ended = true
    this.#timer?.cancel()
  }

  /** A topic that only a pattern has chosen may go: the inputs are looked up at once. One of a list, and the last, may not. */
  isMissing(topic: string): boolean {
    const { spec, process } = this.#options
    const isListed = spec.inputs.some((selection) => selection.kind === 'topics' && selection.topics.includes(topic))
    if (isListed || this.#lacksInputs) return false
    if (this.#timer !== null && process.clock.monotonicMs() - this.#lookedMs >= missingLookUpMs) {
      this.#timer.cancel()
      this.#timer = null
      void this.#lookAndGoOn()
    }
    return true
  }

  #schedule(): void {
    if (this.#ended) return
    this.#timer = this.#options.process.clock.after(this.#options.intervalMs, () => {
      this.#timer = null
      void this.#lookAndGoOn()
    })
  }

  async #lookAndGoOn(): Promise<void> {
    await this.#look()
    this.#lookedMs = this.#options.process.clock.monotonicMs()
    this.#schedule()
  }

  async #look(): Promise<void> {
    const { log, spec, process, group } = this.#options
    try {
      const found = await process.call('log.inputs', () => inputsIn(log, spec))
      this.#lacksInputs = false
      if (this.#ended) return
      const changed = spec.copartitioned ? changedCount(this.#options.counts(), found) : null
      if (changed === null) group.follow(found)
      else this.#options.failed(changed)
    } catch (error) {
      // It is looked up again later.
      this.#lacksInputs =
        asTidemarkError(error, 'system-unreachable', 'Looking topics up failed').code === 'unknown-topic'
    }
  }
}

/** The error of a group that may not grow and has; null: it has not. */
export function changedCount(
  before: ReadonlyMap<string, number>,
  now: ReadonlyMap<string, number>,
): TidemarkError | null {
  for (const [topic, count] of now) {
    const known = before.get(topic) ?? count
    if (known !== count) return partitionsChanged(topic, known, count)
  }
  return null
}
