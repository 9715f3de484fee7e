import type { Header } from '../../../core/record.ts'
import type { RecordContent } from './recordContent.ts'
import { ResponseReader } from './responseReader.ts'

/** The records of a batch that is not sent yet, as they were added. Byte ranges are slices. */
export function* builtRecords(body: Buffer, baseTimestamp: number): Generator<RecordContent, void> {
  const reader = new ResponseReader(body, 'A batch that is to be sent')
  while (reader.remaining > 0) {
    reader.varint()
    reader.int8()
    const timestamp = baseTimestamp + reader.varint()
    reader.varint()
    const key = content(reader)
    const value = content(reader)
    const headers: Header[] = []
    for (let left = reader.varint(); left > 0; left -= 1) {
      headers.push([reader.take(reader.varint()).toString('utf8'), content(reader)])
    }
    yield { timestamp, key, value, headers }
  }
}

function content(reader: ResponseReader): Buffer | null {
  const length = reader.varint()
  return length < 0 ? null : reader.take(length)
}
