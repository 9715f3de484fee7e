import { createHash } from 'node:crypto'
import type { TidemarkError } from './errors.ts'
import type { OutputRecord } from './record.ts'

/** More than an epoch should have; beyond it the epoch is tried in shorter ones, until what they have fits. */
const most = 10_000

/**
 * The outputs of a stretch that a log has refused when they were sent. The epoch is replayed, and its sinks find here what
 * not to send again. A record is known by its content, not by its place: the replay may send it in another order, after
 * others or to another partition.
 *
 * Memory: 10,000 digests; forgotten with the commit.
 */
export class LearntRefusals {
  readonly #byContent = new Map<string, TidemarkError>()

  learn(record: OutputRecord, error: TidemarkError): void {
    if (this.#byContent.size < most) this.#byContent.set(digestOf(record), error)
  }

  find(record: OutputRecord): TidemarkError | null {
    return this.#byContent.size === 0 ? null : (this.#byContent.get(digestOf(record)) ?? null)
  }

  forget(): void {
    this.#byContent.clear()
  }
}

/** Each part behind its length, so that no two records have one text. */
function digestOf({ topic, key, value, headers, timestamp }: OutputRecord): string {
  const hash = createHash('sha256')
  const part = (bytes: Buffer | null): void => {
    hash.update(bytes === null ? 'null ' : `${String(bytes.length)} `)
    if (bytes !== null) hash.update(bytes)
  }
  hash.update(`${topic} ${String(timestamp)} ${String(headers.length)} `)
  part(key)
  part(value)
  for (const [name, content] of headers) {
    part(Buffer.from(name))
    part(content)
  }
  return hash.digest('base64')
}
