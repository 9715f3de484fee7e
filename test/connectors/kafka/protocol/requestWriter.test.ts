import { fc, test as property } from '@fast-check/vitest'
import { describe, expect } from 'vitest'
import { RequestWriter } from '../../../../src/connectors/kafka/protocol/requestWriter.ts'
import { ResponseReader } from '../../../../src/connectors/kafka/protocol/responseReader.ts'

const topic = fc.record({
  name: fc.string({ maxLength: 300 }),
  id: fc.option(fc.uint8Array({ minLength: 16, maxLength: 16 }), { nil: null }),
  partitions: fc.array(fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }), { maxLength: 40 }),
  bytes: fc.uint8Array({ maxLength: 400 }),
  flag: fc.integer({ min: -128, max: 127 }),
})

/** As Kafka prints it; zeros stand for none. */
function idOf(bytes: Uint8Array | null): string | null {
  return bytes === null || bytes.every((byte) => byte === 0) ? null : Buffer.from(bytes).toString('base64url')
}

describe.each([
  ['classic', false],
  ['flexible', true],
])('a request in the %s encoding', (_, flexible) => {
  property.prop([fc.array(topic, { maxLength: 40 }), fc.option(fc.string(), { nil: null })])(
    'reads as it was written, however long it is',
    (topics, text) => {
      const writer = new RequestWriter(flexible).noTags().string(text)
      writer.structures(topics, ({ name, id, partitions, bytes, flag }) => {
        writer.string(name).topicId(idOf(id)).bytes(Buffer.from(bytes)).int8(flag)
        writer.array(partitions, (partition) => writer.int32(partition))
      })
      writer.noTags()

      const reader = new ResponseReader(writer.written, 'the request', flexible)
      reader.skipTags()
      expect(reader.nullableString()).toBe(text)
      const read = reader.structures(() => ({
        name: reader.string(),
        id: reader.topicId(),
        bytes: [...reader.bytes()],
        flag: reader.int8(),
        partitions: reader.array(() => reader.int32()),
      }))
      reader.skipTags()
      expect(read).toEqual(topics.map((each) => ({ ...each, id: idOf(each.id), bytes: [...each.bytes] })))
      expect(reader.remaining).toBe(0)
    },
  )
})
