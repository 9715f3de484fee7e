import { TidemarkError } from '../../../core/errors.ts'
import { outputRefusal } from '../../../core/outputRefusal.ts'
import { noTimestamp, recordBytes, type OutputRecord } from '../../../core/record.ts'
import type { RefusedRecord } from './appendInParts.ts'
import type { CompressionType } from '../protocol/compression.ts'
import { describeCode, kafkaError, batchTooLarge } from '../protocol/errorCodes.ts'
import { batchHeaderBytes } from '../protocol/batchHeader.ts'
import { builtOverheadBytes } from '../protocol/recordBatchBuilder.ts'
import { maxRecordBytes, maxRequestBytes } from './recordPlacement.ts'
import type { KnownTopic } from '../client/topicDirectory.ts'

/** By so much the clocks of brokers may differ from ours: what is nearer to a limit is sent, and the broker says. */
const clockMarginMs = 60_000

/** The largest record that may fit when it is compressed. */
export function maxSentBytes(topic: KnownTopic | undefined, compression: CompressionType): number {
  const sure = maxRecordBytes(topic)
  return compression === 'none' ? sure : Math.max(sure, maxRequestBytes - batchHeaderBytes - builtOverheadBytes)
}

/**
 * Why the topic, by its settings, does not take this record; null where nothing speaks against sending it.
 *
 * @param nowMs of about now; it is not asked for each record, which would cost more than all else here.
 */
export function refusalBySettings(
  record: OutputRecord,
  topic: KnownTopic,
  compression: CompressionType,
  nowMs: number,
): TidemarkError | null {
  const { name, partitions, needsKey, timestamps } = topic
  if (record.partition !== null && record.partition >= partitions) {
    return outputRefusal.noPartition(name, record.partition)
  }
  const bytes = recordBytes(record)
  if (bytes > maxSentBytes(topic, compression)) return outputRefusal.tooLarge(name, bytes, maxRecordBytes(topic))
  if (needsKey && record.key === null) return outputRefusal.noKey(name)
  // Every topic takes a record without a timestamp.
  if (timestamps === null || record.timestamp === noTimestamp) return null
  const { beforeMs, afterMs, nowFits } = timestamps
  const age = nowMs - record.timestamp
  if (age <= beforeMs + clockMarginMs && -age <= afterMs + clockMarginMs) return null
  const limit = age > 0 ? `before.max.ms=${String(beforeMs)}` : `after.max.ms=${String(afterMs)}`
  return outputRefusal.timeOutside(name, record.timestamp, `message.timestamp.${limit}`, nowFits)
}

/** What a broker's refusal of one record means, in its own words. */
export function refusalByBroker(
  name: string,
  { record, code, message }: RefusedRecord,
  topic: KnownTopic | undefined,
): TidemarkError {
  const said = `Kafka answers ${describeCode(code)}${message === null ? '' : `: ${message}`}`
  if (batchTooLarge.has(code))
    return outputRefusal.tooLarge(name, recordBytes(record), maxRecordBytes(topic), ` ${said}`)
  const field =
    code === kafkaError.invalidTimestamp
      ? 'timestamp'
      : code === kafkaError.invalidRecord && record.key === null
        ? 'key'
        : 'record'
  return new TidemarkError('invalid-output', `Topic ${name} does not take the output. ${said}`, {
    details: { field, outputTopic: name },
  })
}

/** A record of about this moment was refused for its time: the broker's clock is another one. */
export function showsOtherClock({ record, code }: RefusedRecord, nowMs: number): boolean {
  return code === kafkaError.invalidTimestamp && Math.abs(nowMs - record.timestamp) <= clockMarginMs
}
