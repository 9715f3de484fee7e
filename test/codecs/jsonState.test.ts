import { fc, test } from '@fast-check/vitest'
import { describe, expect, it } from 'vitest'
import { jsonState } from '../../src/codecs/jsonState.ts'

const codec = jsonState<unknown>()

/** Any JSON, with any characters in its texts and names. */
const json = fc.jsonValue({ stringUnit: 'binary' })

describe('jsonState', () => {
  test.prop([json])('gives back any JSON value as it was', (value) => {
    // JSON has one zero.
    expect(codec.decode(codec.encode(value))).toEqual(JSON.parse(JSON.stringify(value)))
  })

  test.prop([fc.dictionary(fc.string(), fc.integer())])('has the same bytes for equal states', (object) => {
    const reversed = Object.fromEntries(Object.entries(object).toReversed())
    expect(codec.encode(reversed)).toEqual(codec.encode(object))
  })

  it('orders members by name at every level and leaves undefined ones out', () => {
    const bytes = codec.encode({ b: [{ z: 1, a: 'ü' }], a: undefined, '10': -0, '9': null })
    expect(bytes.toString()).toBe('{"10":0,"9":null,"b":[{"a":"ü","z":1}]}')
  })

  it('keeps a member named __proto__ an ordinary one', () => {
    const state: unknown = JSON.parse('{"__proto__":{"polluted":true}}')
    const back = codec.decode(codec.encode(state)) as object
    expect(Object.keys(back)).toEqual(['__proto__'])
    expect(Object.getPrototypeOf(back)).toBe(Object.prototype)
  })

  it.each([
    [{ a: [1, undefined] }, 'state.a[1] is a undefined'],
    // oxlint-disable-next-line no-sparse-arrays
    [{ a: [1, , 2] }, 'state.a[1] is a undefined'],
    [undefined, 'state is a undefined'],
    [Number.NaN, 'state is NaN'],
    [{ at: new Date(0) }, 'state.at is a Date'],
    [{ seen: new Map() }, 'state.seen is a Map'],
    [{ id: 1n }, 'state.id is a bigint'],
    [{ update: Math.max }, 'state.update is a function'],
    [Buffer.from('a'), 'state is a Buffer'],
  ])('refuses %o, which JSON would change', (state, message) => {
    expect(() => codec.encode(state)).toThrow(message)
  })

  it('refuses a state without end before the stack ends', () => {
    const state: { self?: unknown } = {}
    state.self = state
    expect(() => codec.encode(state)).toThrow('nested deeper than 1000 levels')
  })

  it('calls bytes that it did not write corrupt', () => {
    expect(() => codec.decode(Buffer.from('{'))).toThrow(expect.objectContaining({ code: 'corrupt-store' }))
  })
})
