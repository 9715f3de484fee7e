import { fc, test as property } from '@fast-check/vitest'
import { describe, expect, it } from 'vitest'
import { DeadLetter } from '../../src/core/deadLetter.ts'
import { messageOf, TidemarkError } from '../../src/core/errors.ts'
import { outputRecord } from '../../src/core/outputRecord.ts'
import { recordBytes, StreamRecord, type Header } from '../../src/core/record.ts'

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

describe('the headers of a dead letter', () => {
  const letterOf = (headers: readonly Header[]): DeadLetter =>
    new DeadLetter(new TidemarkError('malformed-json', 'bad'), record({ headers, raw: Buffer.from([0xff]) }), 5)
  const textsOf = (headers: readonly Header[]): readonly string[] =>
    headers.map(([name, value]) => `${name}=${value?.toString() ?? 'null'}`)
  const ours = [
    'error-code=malformed-json',
    'source-topic=input',
    'source-partition=3',
    'source-offset=7',
    'epoch=5',
    'original-encoding=base64',
  ]

  it('keep those of the source, under a prefix where they are named as ours', () => {
    const headers: readonly Header[] = [
      ['epoch', Buffer.from('12')],
      ['trace', Buffer.from('t')],
      ['error-code', null],
      ['epoch', Buffer.from('13')],
      ['original-encoding', Buffer.from('none')],
      ['original-trace', Buffer.from('u')],
    ]
    expect(textsOf(letterOf(headers).headers)).toEqual([
      'original-epoch=12',
      'trace=t',
      'original-error-code=null',
      'original-epoch=13',
      'original-original-encoding=none',
      'original-trace=u',
      ...ours,
    ])
  })

  const name = fc.constantFrom('epoch', 'encoding', 'trace', 'error-code', '')
  property.prop([fc.array(fc.tuple(fc.nat(4), name), { maxLength: 5 })])(
    'give the names of the source back when one prefix is taken off',
    (drawn) => {
      const names = drawn.map(([prefixes, rest]) => `${'original-'.repeat(prefixes)}${rest}`)
      const kept = letterOf(names.map((each) => [each, null])).headers.slice(0, names.length)
      const own = new Set(ours.map((text) => text.split('=')[0] ?? ''))
      for (const [index, [given]] of kept.entries()) {
        expect(own.has(given)).toBe(false)
        expect([given, given.replace('original-', '')]).toContain(names[index])
      }
      expect(new Set(kept.map(([given]) => given)).size).toBe(new Set(names).size)
    },
  )

  it('are written in one pass over a name that repeats the prefix', () => {
    const long = `${'original-'.repeat(100_000)}epoch`
    expect(letterOf([[long, null]]).headers[0]?.[0]).toBe(`original-${long}`)
  })
})

describe('a record with a timestamp that no log takes', () => {
  it.each([-5, 2 ** 63, Number.NaN])('still becomes a dead letter: %d', (timestamp) => {
    const letter = new DeadLetter(new TidemarkError('invalid-output', 'bad'), record({ timestamp }), 5)
    expect(outputRecord('toKafka', 'dlq', letter, {})).toMatchObject({ topic: 'dlq', timestamp: -1 })
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
