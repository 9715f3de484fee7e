import * as t from 'io-ts'
import { TidemarkError } from '../../../core/errors.ts'
import { isTopicName, topicNameRule } from '../../../core/topicName.ts'
import type { PartitionLog } from './partitionLog.ts'

export const defaultMaxMessageBytes = 16 * 1024 * 1024
export const maxPartitions = 10_000

/** A topic of the embedded log. Internal ones belong to the runtime: changelogs, and what `rekey` writes. */
export interface Topic {
  readonly name: string
  readonly id: number
  readonly internal: boolean
  /** Largest record that is taken: key, value and headers. */
  readonly maxMessageBytes: number
  readonly partitions: readonly PartitionLog[]
}

/** What a topic looks like from outside. */
export const topicDescription = t.readonly(
  t.strict({
    name: t.string,
    partitions: t.number,
    maxMessageBytes: t.number,
    internal: t.boolean,
    /** Offset of the next record, by partition. */
    endOffsets: t.readonlyArray(t.number),
  }),
)
export type TopicDescription = t.TypeOf<typeof topicDescription>

export interface TopicOptions {
  /** Default: `embedded.partitions`. */
  readonly partitions?: number | undefined
  /** Default: 16 MiB. */
  readonly maxMessageBytes?: number | undefined
}

export function describeTopic({ name, internal, maxMessageBytes, partitions }: Topic): TopicDescription {
  return {
    name,
    partitions: partitions.length,
    maxMessageBytes,
    internal,
    endOffsets: partitions.map(({ end }) => end),
  }
}

export function checkTopicName(name: string): void {
  const isAllowed: boolean = isTopicName(name)
  if (isAllowed) return
  throw new TidemarkError('invalid-argument', `${JSON.stringify(name.slice(0, 60))} is not ${topicNameRule}`)
}

export function checkTopicOptions({ partitions, maxMessageBytes }: TopicOptions): void {
  checkWholeNumber('partitions', partitions, maxPartitions)
  checkWholeNumber('max.message.bytes', maxMessageBytes, 1024 * 1024 * 1024)
}

function checkWholeNumber(option: string, value: number | undefined, most: number): void {
  if (value === undefined || (Number.isSafeInteger(value) && value >= 1 && value <= most)) return
  throw new TidemarkError(
    'invalid-argument',
    `${option} must be a whole number from 1 to ${String(most)}, not ${String(value)}`,
  )
}
