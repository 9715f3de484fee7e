import { createHash } from 'node:crypto'
import { TidemarkError } from './errors.ts'
import type { OutputRecord } from './record.ts'

/** The errors of an output that its topic does not take, alike in every log. `field` in the details says which part. */
export const outputRefusal = {
  /** The job keeps its state there. */
  ownTopic(topic: string): TidemarkError {
    return new TidemarkError(
      'invalid-output',
      `Topic ${topic} belongs to the job itself, which keeps its state there.`,
      {
        details: { field: 'topic', outputTopic: topic },
      },
    )
  },

  noTopic(topic: string, why: TidemarkError): TidemarkError {
    return new TidemarkError('invalid-output', `The output cannot be written to topic ${topic}: ${why.message}`, {
      cause: why,
      details: { field: 'topic', outputTopic: topic },
    })
  },

  noPartition(topic: string, partition: number): TidemarkError {
    return new TidemarkError('invalid-output', `Topic ${topic} has no partition ${String(partition)}.`, {
      details: { field: 'partition', outputTopic: topic, partition },
    })
  },

  /** `maxBytes`: what the topic surely takes, key, value and headers. */
  tooLarge(topic: string, bytes: number, maxBytes: number, more = ''): TidemarkError {
    return new TidemarkError(
      'record-too-large',
      `The output has ${String(bytes)} bytes; topic ${topic} takes ${String(maxBytes)} (max.message.bytes).${more}`,
      { details: { field: 'value', outputTopic: topic, bytes, maxBytes } },
    )
  },

  noKey(topic: string): TidemarkError {
    return new TidemarkError(
      'invalid-output',
      `Topic ${topic} is compacted (cleanup.policy), so it takes no record without a key.`,
      { details: { field: 'key', outputTopic: topic } },
    )
  },

  /** `nowFits`: a record of this moment would be taken. */
  timeOutside(topic: string, timestamp: number, limit: string, nowFits: boolean): TidemarkError {
    return new TidemarkError(
      'invalid-output',
      `The output's timestamp ${String(timestamp)} is outside of what topic ${topic} takes (${limit}).`,
      { details: { field: 'timestamp', outputTopic: topic, timestamp, nowFits } },
    )
  },
}

/**
 * The log has refused some records of an epoch for what they are, and its task now knows which: replayed, the epoch goes
 * on without them. Never counted as a failure of the job, as long as that helps.
 */
export class RecordsRefused extends TidemarkError {
  override readonly name: string = 'RecordsRefused'
  readonly records: number

  /** @param first what one of them was refused for. */
  constructor(first: TidemarkError, records: number) {
    super(first.code, first.message, { cause: first, details: first.details })
    this.records = records
  }
}

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
