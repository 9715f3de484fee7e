import type { StreamRecord } from '../../core/record.ts'
import type { TidemarkError } from '../../core/errors.ts'
import type { FetchTarget, Fetcher } from './fetcher.ts'

/** Until this is waiting, nothing more is fetched. */
const maxWaitingRecords = 20_000

/**
 * Committed records of one partition in [from, to), in order, as they are fetched; ends at `to`, whatever is left of the
 * log before it. Kafka has no way to read without a group but to fetch, so this does.
 */
export async function* readPartition(
  fetcher: Fetcher,
  place: { readonly topic: string; readonly partition: number },
  from: number,
  to: number,
): AsyncGenerator<readonly StreamRecord[], void> {
  const target = new Target(place.topic, place.partition, from, to)
  fetcher.add(target)
  try {
    while (!target.finished) {
      const records = await target.take()
      fetcher.wake()
      if (records.length > 0) yield records
    }
  } finally {
    fetcher.remove(target)
  }
}

class Target implements FetchTarget {
  readonly topic: string
  readonly partition: number
  readonly #to: number
  offset: number
  #waiting: StreamRecord[] = []
  #failure: TidemarkError | null = null
  #wake: (() => void) | null = null

  constructor(topic: string, partition: number, from: number, to: number) {
    this.topic = topic
    this.partition = partition
    this.offset = from
    this.#to = to
  }

  get wanted(): boolean {
    return this.offset < this.#to && this.#waiting.length < maxWaitingRecords
  }

  get finished(): boolean {
    return this.#failure === null && this.offset >= this.#to && this.#waiting.length === 0
  }

  accept(records: readonly StreamRecord[], next: number): void {
    for (const record of records) if (record.offset < this.#to) this.#waiting.push(record)
    this.offset = Math.max(this.offset, next)
    this.#notify()
  }

  fail(error: TidemarkError): void {
    this.#failure = error
    this.#notify()
  }

  async take(): Promise<readonly StreamRecord[]> {
    if (this.#waiting.length === 0 && this.offset < this.#to && this.#failure === null) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
    if (this.#failure !== null) throw this.#failure
    const records = this.#waiting
    this.#waiting = []
    return records
  }

  #notify(): void {
    const wake = this.#wake
    this.#wake = null
    wake?.()
  }
}
