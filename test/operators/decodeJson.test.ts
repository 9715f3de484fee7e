import { fc, test } from '@fast-check/vitest'
import * as t from 'io-ts'
import { describe, expect, it } from 'vitest'
import { from } from 'rxjs'
import { decodeJson, type DecodeJsonOptions } from '../../operators/decodeJson.ts'
import { JsonNumber } from '../../src/codecs/json/jsonNumber.ts'
import type { DeadLetter } from '../../src/core/deadLetter.ts'
import type { StreamRecord } from '../../src/core/record.ts'
import { attemptStub } from '../support/attemptStub.ts'
import { sampleRecord } from '../support/sampleRecord.ts'

const request = t.type({ id: t.string, n: t.union([t.number, t.null]) })

/** Runs records through the operator, with dead letters. */
async function decode<A>(records: readonly StreamRecord[], codec: t.Type<A, unknown>, options: DecodeJsonOptions = {}) {
  const attempt = attemptStub({ epoch: 7 })
  const deadLetters = attempt.sideOutput<DeadLetter>('dead-letters')
  const outputs: StreamRecord<A>[] = []
  const decoded$ = from(records).pipe(decodeJson(attempt.context, codec, { onError: deadLetters, ...options }))
  await decoded$.forEach((record) => outputs.push(record))
  return { attempt, outputs, dead: deadLetters.emitted, codes: deadLetters.emitted.map(({ error }) => error.code) }
}

describe('decodeJson', () => {
  it('decodes values that match and keeps all else of the record', async () => {
    const record = sampleRecord('{"id":"a","n":1}', { offset: 5, key: 'k', headers: [['h', Buffer.from('v')]] })
    const { outputs } = await decode([record], request)
    expect(outputs).toEqual([record.withValue({ id: 'a', n: 1 })])
    expect(outputs[0]?.raw).toBe(record.raw)
  })

  it('returns what the codec makes of a value, also where the codec accepts the value as it is', async () => {
    const trimmed = new t.Type(
      'trimmed',
      t.string.is,
      (value, context) => (typeof value === 'string' ? t.success(value.trim()) : t.failure(value, context)),
      t.identity,
    )
    const { outputs } = await decode([sampleRecord('{"id":" a ","more":1}')], t.exact(t.type({ id: trimmed })))
    expect(outputs[0]?.value).toEqual({ id: 'a' })
  })

  it.each<[string, string | Buffer, string]>([
    ['malformed', '{"id":', 'malformed-json'],
    ['empty', '', 'empty-value'],
    ['two texts', '{} {}', 'malformed-json'],
    ['not UTF-8', Buffer.from([0x22, 0xff, 0x22]), 'invalid-utf8'],
    ['with a byte order mark', Buffer.from('\uFEFF{"id":"a","n":1}'), 'byte-order-mark'],
    ['half a surrogate pair', '{"id":"\\ud800","n":1}', 'malformed-json'],
    ['a million levels deep', '['.repeat(1_000_000) + ']'.repeat(1_000_000), 'too-deep'],
    ['of another shape', '{"id":1,"n":1}', 'schema-mismatch'],
    ['a member of the prototype', '{"__proto__":{"id":"a","n":1}}', 'schema-mismatch'],
    ['a missing member', '{"id":"a"}', 'schema-mismatch'],
    ['10 MB of nothing useful', `["${'x'.repeat(10_000_000)}"]`, 'schema-mismatch'],
  ])('makes one dead letter of a value that is %s, and goes on', async (_, value, code) => {
    const good = sampleRecord('{"id":"b","n":null}', { offset: 2 })
    const { outputs, dead, codes, attempt } = await decode([sampleRecord(value, { offset: 1 }), good], request)
    expect(codes).toEqual([code])
    expect(dead[0]).toMatchObject({ offset: 1, epoch: 7 })
    expect(outputs.map(({ offset }) => offset)).toEqual([2])
    expect(attempt.tallies.get(`dead-letters ${code}`)).toBe(1)
  })

  it('names path and expected type of what does not match', async () => {
    const { dead } = await decode([sampleRecord('{"id":["a"],"n":1}')], request)
    expect(dead[0]?.error.message).toBe('The value does not match: id: expected string, got array.')
  })

  it('lets the last of duplicate keys win, and sets no prototype', async () => {
    const { outputs } = await decode([sampleRecord('{"id":"a","id":"b","n":1,"__proto__":{"polluted":1}}')], request)
    expect(outputs[0]?.value.id).toBe('b')
    expect(outputs[0]?.value).not.toHaveProperty('polluted')
  })

  it('keeps the digits of numbers in exact mode', async () => {
    const { outputs } = await decode([sampleRecord('[9007199254740993, 1]')], t.UnknownArray, { numbers: 'exact' })
    expect(outputs[0]?.value).toEqual([new JsonNumber('9007199254740993'), 1])
  })

  it('fails the epoch at the first bad record where there is no onError', () => {
    const attempt = attemptStub()
    let error: unknown
    from([sampleRecord('{', { offset: 3 })])
      .pipe(decodeJson(attempt.context, request))
      .subscribe({ error: (thrown: unknown) => (error = thrown) })
    expect(error).toMatchObject({
      code: 'malformed-json',
      message: expect.stringContaining('input-topic 0@3: The value'),
    })
    expect(attempt.steps[0]?.errors).toEqual([error])
  })

  describe('of a null value', () => {
    const key = '{"id":"a"}'
    const locate: DecodeJsonOptions = { tombstone: (members) => ({ ...members, n: null }) }

    it('refuses it by default', async () => {
      const { codes } = await decode([sampleRecord(null, { key })], request)
      expect(codes).toEqual(['empty-value'])
    })

    it('skips it on request, and counts it', async () => {
      const { outputs, codes, attempt } = await decode([sampleRecord(null, { key })], request, { tombstone: 'skip' })
      expect([outputs, codes]).toEqual([[], []])
      expect(attempt.tallies.get('tombstone-skipped')).toBe(1)
    })

    it('makes a value of the JSON key', async () => {
      const { outputs } = await decode([sampleRecord(null, { key })], request, locate)
      expect(outputs[0]).toMatchObject({ raw: null, value: { id: 'a', n: null } })
    })

    it.each([
      ['no key', null],
      ['a key that is not JSON', 'a'],
      ['an empty key', ''],
      ['a key that is no object', '["id"]'],
      ['a key of null', 'null'],
      ['a key of another shape', '{"name":"a"}'],
      ['a key with a prototype', '{"__proto__":{"id":"a"}}'],
      ['a key that is not UTF-8', Buffer.from([0xff])],
    ])('refuses %s as tombstone-without-key', async (_, bad) => {
      const { codes, dead } = await decode([sampleRecord(null, { key: bad })], request, locate)
      expect(codes).toEqual(['tombstone-without-key'])
      expect(dead[0]?.error.message).toMatch(/^The value is null and .*, so it cannot be located\.$/)
    })
  })

  test.prop([
    fc.array(
      fc.oneof(
        fc.json(),
        fc.string(),
        fc.uint8Array().map((bytes) => Buffer.from(bytes)),
      ),
    ),
  ])('gives one output or one dead letter for any bytes', async (values) => {
    const records = values.map((value, offset) => sampleRecord(value, { offset }))
    const { outputs, dead } = await decode(records, t.unknown)
    const offsets = [...outputs, ...dead].map(({ offset }) => offset).sort((a, b) => a - b)
    expect(offsets).toEqual(records.map(({ offset }) => offset))
  })

  it.each([
    [{ maxDepth: 0 }, 'maxDepth'],
    [{ maxDepth: 1_001 }, 'maxDepth'],
    [{ numbers: 'decimal' }, 'numbers'],
    [{ tombstone: 'keep' }, 'tombstone'],
  ])('refuses %j when the pipeline is built', (options, option) => {
    expect(() => decodeJson(attemptStub().context, request, options as DecodeJsonOptions)).toThrow(
      `decodeJson: option ${option} must be `,
    )
  })
})
