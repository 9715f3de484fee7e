import { describe, expect, it } from 'vitest'
import { DeadLetter } from '../../src/core/deadLetter.ts'
import { messageOf, TidemarkError } from '../../src/core/errors.ts'
import { outputRecord } from '../../src/core/outputRecord.ts'
import { recordBytes, StreamRecord } from '../../src/core/record.ts'

const record = (fields: Partial<StreamRecord> = {}): StreamRecord =>
  new StreamRecord(
    'input',
    3,
    7,
    fields.timestamp ?? 1_700_000_000_000,
    fields.key ?? null,
    fields.headers ?? [],
    fields.raw === undefined ? Buffer.from('{}') : fields.raw,
    Buffer.from('{}'),
  )

const parsed = (letter: DeadLetter): { error: string; originalMessage: string | null; timestamp: number } =>
  JSON.parse(letter.value.toString()) as { error: string; originalMessage: string | null; timestamp: number }

describe('a dead letter that must fit', () => {
  it.each([1024, 5000, 1_000_000])('fits %i bytes even when the error quotes a huge name', (maxBytes) => {
    const error = new TidemarkError('lookup-failed', `Cannot read "\u0000${'é"'.repeat(2_000_000)}"`)
    const letter = new DeadLetter(error, record({ raw: Buffer.alloc(3_000_000, 0x61) }), 5).fit(maxBytes)
    expect(recordBytes(letter)).toBeLessThanOrEqual(maxBytes)
    expect(parsed(letter).error).toMatch(/^Cannot read/)
    expect(parsed(letter).error.isWellFormed()).toBe(true)
  })

  it('cuts the message before the error', () => {
    const error = new TidemarkError('malformed-json', 'x'.repeat(300))
    const letter = new DeadLetter(error, record({ raw: Buffer.alloc(100_000, 0x61) }), 5).fit(2000)
    expect(parsed(letter).error).toBe('x'.repeat(300))
    expect(recordBytes(letter)).toBeLessThanOrEqual(2000)
  })

  it('counts headers as the bytes they take, names and lengths included', () => {
    const headers = [['€'.repeat(1000), null]] as const
    expect(recordBytes({ key: null, headers, value: null })).toBe(3010)
    const letter = new DeadLetter(new TidemarkError('malformed-json', 'bad'), record({ headers }), 5).fit(2000)
    expect(letter.headers.map(([name]) => name)).not.toContain('€'.repeat(1000))
  })
})

describe('a record with a timestamp that no log takes', () => {
  it.each([-5, 2 ** 63, Number.NaN])('still becomes a dead letter: %d', (timestamp) => {
    const letter = new DeadLetter(new TidemarkError('invalid-output', 'bad'), record({ timestamp }), 5)
    expect(outputRecord('dlq', letter, {})).toMatchObject({ topic: 'dlq', timestamp: -1 })
  })
})

describe('the message of anything thrown', () => {
  it.each<readonly [string, unknown]>([
    ['an object without a prototype', Object.create(null)],
    ['an object from JSON that has a toString', JSON.parse('{"toString": 1}')],
    [
      'an object whose toString throws',
      {
        toString() {
          throw new Error('no')
        },
      },
    ],
    ['a symbol', Symbol('s')],
    ['undefined', undefined],
  ])('is a text: %s', (_name, thrown) => {
    expect(typeof messageOf(thrown)).toBe('string')
  })
})
