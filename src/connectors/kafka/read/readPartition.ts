import type { TidemarkError } from '../../../core/errors.ts'
import { recordBytes, type StreamRecord } from '../../../core/record.ts'
import { UnreadRecord } from '../../../core/unreadRecord.ts'
import type { FetchTarget } from './fetchTarget.ts'
import type { Fetcher } from './fetcher.ts'

/** Until this is waiting, nothing more is fetched, and nothing more of what was fetched is unpacked. */
const maxWaitingRecords = 20_000
const maxWaitingBytes = 4 * 1024 * 1024

/**
 * Committed records of one partition in [from, to), in order, as they are fetched; ends at `to`, whatever is left of the
 * log before it. Kafka has no way to read without a group but to fetch, so this does. Memory: some MiB waiting and as much
 * handed out, or one record that is larger.
 *
 * @throws TidemarkError `input-too-large` for a record that cannot be held; what the fetcher ends its targets with.
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
    while (!target.taken) {
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
  #waitingBytes = 0
  #failure: TidemarkError | null = null
  #wake: (() => void) | null = null

  constructor(topic: string, partition: number, from: number, to: number) {
    this.topic = topic
    this.partition = partition
    this.offset = from
    this.#to = to
  }

  get wanted(): boolean {
    return !this.finished && this.#waiting.length < maxWaitingRecords && this.room > 0
  }

  get room(): number {
    return maxWaitingBytes - this.#waitingBytes
  }

  get finished(): boolean {
    return this.offset >= this.#to
  }

  /** All of it was handed out. */
  get taken(): boolean {
    return this.#failure === null && this.finished && this.#waiting.length === 0
  }

  accept(records: readonly StreamRecord[], next: number): void {
    for (const record of records) {
      if (record.offset >= this.#to) break
      if (record instanceof UnreadRecord) this.#failure ??= record.error
      else this.#waiting.push(record)
      this.#waitingBytes += recordBytes(record)
    }
    this.offset = Math.max(this.offset, next)
    this.#notify()
  }

  fail(error: TidemarkError): void {
    this.#failure = error
    this.#notify()
  }

  async take(): Promise<readonly StreamRecord[]> {
    if (this.#waiting.length === 0 && !this.finished && this.#failure === null) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
    if (this.#failure !== null) throw this.#failure
    const records = this.#waiting
    this.#waiting = []
    this.#waitingBytes = 0
    return records
  }

  #notify(): void {
    const wake = this.#wake
    this.#wake = null
    wake?.()
  }
}
