import { fc, test as property } from '@fast-check/vitest'
import { describe, expect, test } from 'vitest'
import type { StateCodec } from '../../src/core/ports/keyedState.ts'
import { stateEntryKey } from './stateEntryKey.ts'
import { StateOverlay } from '../../src/state/stateOverlay.ts'

interface Total {
  sum: number
}

const json: StateCodec<Total> = {
  encode: (value) => Buffer.from(JSON.stringify(value)),
  decode: (bytes): Total => JSON.parse(bytes.toString()) as Total,
}
const bytesAsTheyAre: StateCodec<Buffer> = { encode: (value) => value, decode: (value) => value }

const a = Buffer.from('a')
const b = Buffer.from('b')

function storeOf(values: Record<string, string>): { get(key: Buffer): Buffer | undefined; reads: number } {
  const map = new Map(
    Object.entries(values).map(([key, value]) => [stateEntryKey(3, 'total', Buffer.from(key)).toString('hex'), value]),
  )
  return {
    reads: 0,
    get(key) {
      this.reads += 1
      const value = map.get(key.toString('hex'))
      return value === undefined ? undefined : Buffer.from(value)
    },
  }
}

const overlayOn = (values: Record<string, string>, maxEntryBytes?: number): StateOverlay =>
  new StateOverlay(storeOf(values), { generation: 3, ...(maxEntryBytes === undefined ? {} : { maxEntryBytes }) })

const deltaOf = (overlay: StateOverlay): [string, string | null][] =>
  overlay.delta().map(({ key, value }) => [key.toString('latin1').slice(7), value?.toString() ?? null])

describe('StateOverlay', () => {
  test('reads what is committed, then what this attempt wrote', () => {
    const state = overlayOn({ a: '{"sum":1}' }).keyed('total', json)
    expect(state.get(a)).toEqual({ sum: 1 })
    expect(state.get(b)).toBeUndefined()
    state.set(a, { sum: 2 })
    state.set(b, { sum: 3 })
    expect([state.get(a), state.get(b)]).toEqual([{ sum: 2 }, { sum: 3 }])
    state.delete(a)
    expect(state.get(a)).toBeUndefined()
  })

  test('the delta holds the last value of each key written, and nothing of keys that were only read', () => {
    const overlay = overlayOn({ a: '{"sum":1}', c: '{"sum":9}' })
    const state = overlay.keyed('total', json)
    state.get(Buffer.from('c'))
    state.set(a, { sum: 2 })
    state.set(b, { sum: 3 })
    state.set(a, { sum: 4 })
    state.delete(b)
    expect(deltaOf(overlay)).toEqual([
      ['totala', '{"sum":4}'],
      ['totalb', null],
    ])
  })

  test('bytes is exactly the size of the delta', () => {
    const overlay = overlayOn({})
    const state = overlay.keyed('total', json)
    state.set(a, { sum: 123 })
    state.set(a, { sum: 1 })
    state.set(b, { sum: 1 })
    state.delete(b)
    const size = overlay.delta().reduce((sum, { key, value }) => sum + key.length + (value?.length ?? 0), 0)
    expect(overlay.bytes).toBe(size)
  })

  test('a value changed in place and set again is committed as changed', () => {
    const overlay = overlayOn({ a: '{"sum":1}' })
    const state = overlay.keyed('total', json)
    const value = state.get(a)
    if (value === undefined) throw new Error('the state is missing')
    value.sum += 1
    state.set(a, value)
    expect(state.get(a)).toEqual({ sum: 2 })
    expect(deltaOf(overlay)).toEqual([['totala', '{"sum":2}']])
  })

  test('a value changed after set() is committed as it was at set()', () => {
    const overlay = overlayOn({})
    const state = overlay.keyed('total', json)
    const value = { sum: 1 }
    state.set(a, value)
    value.sum = 99
    expect(state.get(a)).toEqual({ sum: 1 })
    expect(deltaOf(overlay)).toEqual([['totala', '{"sum":1}']])
  })

  test('a value changed without set() is unchanged for the next record and in the next attempt', () => {
    const store = storeOf({ a: '{"sum":1}' })
    for (let attempt = 0; attempt < 2; attempt += 1) {
      const overlay = new StateOverlay(store, { generation: 3 })
      const state = overlay.keyed('total', json)
      for (let record = 0; record < 2; record += 1) {
        const value = state.get(a)
        expect(value).toEqual({ sum: 1 })
        if (value !== undefined) value.sum = 99
      }
      expect(overlay.delta()).toEqual([])
    }
  })

  test('a codec that passes bytes on cannot make the state change either', () => {
    const overlay = overlayOn({ a: 'x' })
    const state = overlay.keyed('total', bytesAsTheyAre)
    state.get(a)?.fill('9')
    expect(state.get(a)?.toString()).toBe('x')
    const value = Buffer.from('y')
    state.set(a, value)
    value.fill('9')
    state.get(a)?.fill('9')
    expect(state.get(a)?.toString()).toBe('y')
    expect(deltaOf(overlay)).toEqual([['totala', 'y']])
  })

  test('a key that the caller reuses does not change what was written', () => {
    const overlay = overlayOn({})
    const state = overlay.keyed('total', json)
    const key = Buffer.from('a')
    state.set(key, { sum: 1 })
    key.fill('z')
    expect(deltaOf(overlay)).toEqual([['totala', '{"sum":1}']])
  })

  test('operators with different uids do not see each other', () => {
    const overlay = overlayOn({})
    const left = overlay.keyed('left', json)
    const right = overlay.keyed('right', json)
    left.set(a, { sum: 1 })
    expect(right.get(a)).toBeUndefined()
    expect(() => overlay.keyed('left', json)).toThrow(expect.objectContaining({ code: 'invalid-plan' }))
  })

  test('an entry over the limit is an error of its record and leaves the state as it was', () => {
    const overlay = overlayOn({}, 40)
    const state = overlay.keyed('total', bytesAsTheyAre)
    const room = 40 - stateEntryKey(3, 'total', a).length
    state.set(a, Buffer.alloc(room, 'x'))
    const before = overlay.bytes
    expect(() => {
      state.set(a, Buffer.alloc(room + 1))
    }).toThrow(
      expect.objectContaining({
        code: 'state-too-large',
        kind: 'record',
        details: expect.objectContaining({ uid: 'total' }),
      }),
    )
    expect(state.get(a)?.length).toBe(room)
    expect(overlay.bytes).toBe(before)
  })

  test('after its end the state neither reads nor writes, and the delta stays as it was', () => {
    const overlay = overlayOn({})
    const state = overlay.keyed('total', json)
    state.set(a, { sum: 1 })
    overlay.end()
    const stale = expect.objectContaining({ code: 'stale-context' })
    expect(() => state.get(a)).toThrow(stale)
    expect(() => {
      state.set(a, { sum: 2 })
    }).toThrow(stale)
    expect(() => {
      state.delete(a)
    }).toThrow(stale)
    expect(() => overlay.keyed('other', json)).toThrow(stale)
    expect(deltaOf(overlay)).toEqual([['totala', '{"sum":1}']])
  })

  property.prop([
    fc.array(
      fc.record({
        uid: fc.constantFrom('total', 'other'),
        key: fc.constantFrom('', 'a', 'b', 'é'),
        value: fc.option(fc.integer(), { nil: null }),
      }),
      { maxLength: 40 },
    ),
  ])('any writes read back, and count, as a map of last values does', (writes) => {
    const overlay = overlayOn({})
    const states = { total: overlay.keyed('total', json), other: overlay.keyed('other', json) }
    const model = new Map<string, number | null>()
    for (const { uid, key, value } of writes) {
      const state = uid === 'total' ? states.total : states.other
      if (value === null) state.delete(Buffer.from(key))
      else state.set(Buffer.from(key), { sum: value })
      model.set(`${uid}/${key}`, value)
      expect(state.get(Buffer.from(key))?.sum ?? null).toBe(value)
    }
    const delta = overlay.delta()
    expect(delta.length).toBe(model.size)
    expect(overlay.bytes).toBe(delta.reduce((sum, { key, value }) => sum + key.length + (value?.length ?? 0), 0))
  })
})
