import { asTidemarkError } from '../../../core/errors.ts'
import { endOf, PagedReader, type PagedInput, type ReadAhead } from '../../../core/pagedReader.ts'
import { offsetOf } from '../../../core/offsetPosition.ts'
import type { Positions } from '../../../core/ports/position.ts'
import { offsetRemoved } from '../../../core/topicErrors.ts'
import type { PartitionLog } from '../store/topic.ts'
import { readLogPage, type LogPage } from '../store/readLogPage.ts'
import type { Storage } from '../store/storage.ts'

/** Most of a page: decoding one takes less than a millisecond. A batch holds up to 1,000 records or one large one. */
const pageBatches = 8
const pageBytes = 256 * 1024
const batchRecords = 1_000

interface EmbeddedInput extends PagedInput {
  readonly log: PartitionLog
  /** Next offset to fetch; it runs ahead of `position`. */
  fetched: number
}

interface EmbeddedPage extends LogPage {
  readonly input: EmbeddedInput
}

/**
 * Reads partitions of the embedded log ahead of its consumer, page by page and input by input in turn. New records wake it;
 * it never polls.
 */
export class EmbeddedTaskReader extends PagedReader<EmbeddedPage> {
  protected readonly inputs: readonly EmbeddedInput[]
  readonly #storage: Storage
  readonly #unsubscribe: readonly (() => void)[]
  readonly #page: { readonly maxBatches: number; readonly maxBytes: number }
  #fetching = false
  #turn = 0

  /** `log`: the task's partition of a topic. `ends` null: reading never ends. */
  constructor(
    storage: Storage,
    log: (topic: string) => PartitionLog,
    positions: Positions,
    ends: Positions | null,
    readAhead: ReadAhead,
  ) {
    super(readAhead)
    const { records, bytes } = readAhead
    this.#storage = storage
    this.#page = {
      maxBatches: Math.max(1, Math.min(pageBatches, Math.floor(records / batchRecords))),
      maxBytes: Math.min(pageBytes, bytes),
    }
    this.inputs = [...positions].map(([topic, from]) => {
      const position = offsetOf(from)
      const input = { topic, log: log(topic), position, until: endOf(topic, ends), fetched: position }
      const { partition, end } = input.log
      if (position > end) this.fail(offsetRemoved({ topic, partition, offset: position }, { start: 0, end }))
      return input
    })
    this.#unsubscribe = this.inputs.map((input) =>
      input.log.onAppend(() => {
        void this.#fetch()
      }),
    )
    void this.#fetch()
  }

  override close(): void {
    super.close()
    for (const unsubscribe of this.#unsubscribe) unsubscribe()
  }

  protected finished(_page: EmbeddedPage, isLow: boolean): void {
    if (isLow) void this.#fetch()
  }

  async #fetch(): Promise<void> {
    if (this.#fetching) return
    this.#fetching = true
    try {
      for (let input = this.#nextInput(); input !== undefined; input = this.#nextInput()) {
        const { log, fetched, until } = input
        const page = await readLogPage(this.#storage, log, { from: fetched, until, ...this.#page })
        if (this.closed) return
        input.fetched = page.next
        this.enqueue({ input, ...page })
      }
    } catch (error) {
      this.fail(asTidemarkError(error, 'broken-invariant', 'Reading the embedded log failed'))
    } finally {
      this.#fetching = false
    }
  }

  /** The inputs take turns; undefined when the queue is full or everything there is has been fetched. */
  #nextInput(): EmbeddedInput | undefined {
    if (this.closed || this.full || this.failure !== null) return undefined
    for (let step = 0; step < this.inputs.length; step += 1) {
      const input = this.inputs[(this.#turn + step) % this.inputs.length]
      if (input === undefined || input.fetched >= Math.min(input.until, input.log.end)) continue
      this.#turn = (this.#turn + step + 1) % this.inputs.length
      return input
    }
    return undefined
  }
}
