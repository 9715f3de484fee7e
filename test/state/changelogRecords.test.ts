import { fc, test as property } from '@fast-check/vitest'
import { describe, expect, test } from 'vitest'
import { decodeControlRecord, encodeControlRecord } from '../../src/core/controlRecord.ts'
import { stateEntryKey } from './stateEntryKey.ts'
import { commitKey, lineageKey, localPositionKey } from '../../src/state/changelogKey.ts'
import { changelogRecords } from '../../src/state/changelogRecords.ts'
import { commitMetadata } from '../support/commitMetadata.ts'

const topic = fc.oneof(fc.stringMatching(/^[a-zA-Z0-9._-]{1,20}$/), fc.constantFrom('__proto__', 'constructor'))
const offset = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER })
const text = fc.string({ unit: 'grapheme', maxLength: 20 })

const { changelogEnd: _end, ...content } = commitMetadata({
  epoch: 7,
  partitionCounts: { a: 3 },
  followerBaseMicros: 5,
  watermarkMs: -1,
})

describe('records of a changelog', () => {
  property.prop([text, fc.array(fc.tuple(topic, offset, fc.option(text, { nil: undefined })), { maxLength: 5 })])(
    'a commit record is read as it was written',
    (groupId, inputs) => {
      const positions = new Map(
        inputs.map(([name, position, topicId]) => [name, topicId === undefined ? { position } : { position, topicId }]),
      )
      const record = { groupId, positions, commit: content }
      expect(changelogRecords.factOf(changelogRecords.commit(record))).toEqual({ kind: 'commit', record })
    },
  )

  property.prop([text, text, fc.array(fc.tuple(topic, fc.option(text)), { maxLength: 5 })])(
    'a lineage record is read as it was written',
    (lineage, groupId, topics) => {
      const record = { lineage, generation: 4, groupId, topics: new Map(topics) }
      expect(changelogRecords.factOf(changelogRecords.lineage(record))).toEqual({ kind: 'lineage', record })
    },
  )

  test.each([
    ['of version 0.1', '{"version":1,"lineage":"l","generation":2}'],
    ['with parts that cannot be read', '{"version":1,"lineage":"l","generation":2,"groupId":7,"topics":[1]}'],
  ])('a lineage record %s has lineage and generation', (_, value) => {
    expect(changelogRecords.factOf({ key: lineageKey, value: Buffer.from(value) })).toEqual({
      kind: 'lineage',
      record: { lineage: 'l', generation: 2 },
    })
  })

  test.each([
    ['no value', null],
    ['no JSON', '{'],
    ['another version', '{"version":2,"groupId":"g","positions":{},"commit":{}}'],
    ['a position below 0', JSON.stringify({ version: 1, groupId: 'g', positions: { a: -1 }, commit: {} })],
    ['a commit that is none', '{"version":1,"groupId":"g","positions":{},"commit":{"v":1}}'],
  ])('a commit record with %s is refused by name', (_, value) => {
    const entry = { key: commitKey, value: value === null ? null : Buffer.from(value) }
    expect(() => changelogRecords.factOf(entry)).toThrow(expect.objectContaining({ code: 'corrupt-store' }))
  })

  test('what is neither is state of its generation, or of a kind that is not known yet', () => {
    const key = stateEntryKey(9, 'uid', Buffer.from('k'))
    expect(changelogRecords.factOf({ key, value: null })).toEqual({ kind: 'state', generation: 9 })
    for (const other of [Buffer.from([3, 1]), Buffer.alloc(0), localPositionKey]) {
      expect(changelogRecords.factOf({ key: other, value: null })).toEqual({ kind: 'other' })
    }
  })
})

describe('the control record', () => {
  property.prop([
    text,
    fc.array(fc.tuple(topic, fc.array(offset, { maxLength: 4 })), { maxLength: 4 }),
    fc.array(fc.tuple(topic, text), { maxLength: 4 }),
  ])('is read as it was written', (word, positions, ids) => {
    const record = {
      version: 1 as const,
      lineage: word,
      generation: 3,
      request: { id: word, mode: word, positions: new Map(positions), topicIds: new Map(ids), atMs: 5, groupId: word },
    }
    expect(decodeControlRecord(encodeControlRecord(record), 'a test')).toEqual(record)
  })

  test.each(['', '[]', '{"version":2}', '{"version":1,"lineage":"l","generation":-1,"request":{}}', 'null'])(
    'that is not ours is refused by name: %s',
    (value) => {
      expect(() => decodeControlRecord(Buffer.from(value), 'topic job-control')).toThrow(
        expect.objectContaining({
          code: 'corrupt-store',
          message: expect.stringContaining('topic job-control') as unknown,
        }),
      )
    },
  )
})
