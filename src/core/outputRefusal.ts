import { TidemarkError } from './errors.ts'

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
