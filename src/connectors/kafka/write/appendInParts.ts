import { BrokerRefusal } from '../client/kafkaErrors.ts'
import { kafkaError, refusesRecords } from '../protocol/errorCodes.ts'
import type { Produced } from '../protocol/produce.ts'
import { RecordBatchBuilder } from '../protocol/recordBatchBuilder.ts'
import type { RecordContent } from '../../../core/record.ts'

/** A record that a broker does not take. */
export interface RefusedRecord {
  readonly record: RecordContent
  /** The broker's error code, and its words where it has some. */
  readonly code: number
  readonly message: string | null
}

/** What became of a batch. */
export interface Appended {
  /** Offset behind its last record; -1 when none of it was stored. */
  readonly end: number
  readonly refused: readonly RefusedRecord[]
}

/** What becomes of a batch that is not sent at all. */
export const nothingAppended: Appended = { end: -1, refused: [] }

/**
 * Sends a batch. One that is refused for records in it has stored nothing: it is sent again without those that the broker
 * names, in halves where it names none, until it is known which records are refused. All others are stored, in their order.
 * Rejects with `BrokerRefusal` for any other error, and with what `send` rejects with.
 */
export async function appendInParts(
  builder: RecordBatchBuilder,
  send: (part: RecordBatchBuilder) => Promise<Produced>,
): Promise<Appended> {
  const { error, baseOffset, message, recordErrors } = await send(builder)
  if (error === kafkaError.none) return { end: baseOffset + builder.count, refused: [] }
  if (!refusesRecords.has(error)) throw refusal({ error, message })
  const records = [...builder.records()]
  const words = new Map(recordErrors.map((each) => [each.index, each.message ?? message]))
  const named = records.flatMap((record, index) => {
    const said = words.get(index)
    return said === undefined ? [] : [{ record, code: error, message: said }]
  })
  if (named.length > 0) {
    const rest = records.filter((_, index) => !words.has(index))
    if (rest.length === 0) return { end: -1, refused: named }
    const { end, refused } = await appendInParts(builderOf(rest), send)
    return { end, refused: [...named, ...refused] }
  }
  if (records.length === 1) {
    // It may have been damaged on its way.
    const again = error === kafkaError.corruptMessage ? await send(builder) : null
    if (again?.error === kafkaError.none) return { end: again.baseOffset + 1, refused: [] }
    if (again !== null && !refusesRecords.has(again.error)) throw refusal(again)
    return { end: -1, refused: records.map((record) => ({ record, code: error, message })) }
  }
  const middle = Math.ceil(records.length / 2)
  const first = await appendInParts(builderOf(records.slice(0, middle)), send)
  const second = await appendInParts(builderOf(records.slice(middle)), send)
  return { end: Math.max(first.end, second.end), refused: [...first.refused, ...second.refused] }
}

function refusal({ error, message }: Pick<Produced, 'error' | 'message'>): BrokerRefusal {
  return new BrokerRefusal(error, 'Kafka refuses the batch', message)
}

function builderOf(records: readonly RecordContent[]): RecordBatchBuilder {
  const builder = new RecordBatchBuilder()
  for (const record of records) builder.add(record)
  return builder
}

/** The answer to a batch that the broker is known to refuse: it is not bothered with it. */
export function tooLargeToSend(batch: Buffer, maxBytes: number): Produced {
  const message = `its batch has ${String(batch.length)} bytes, compressed where that helps, and ${String(maxBytes)} are taken`
  return { error: kafkaError.messageTooLarge, baseOffset: -1, message, recordErrors: [] }
}
