import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { stateEntryKey } from '../state/stateEntryKey.ts'
import type { StateStore, StorePosition } from '../../src/state/stateStore.ts'

/** A place that outlives the stores made on it, as a directory outlives a process. */
export interface StateStorePlace {
  store(): StateStore
  remove(): Promise<void>
}

/** What every state store must do; each implementation runs it. */
export function stateStoreConformance(name: string, makePlace: () => Promise<StateStorePlace>): void {
  const key = (text: string): Buffer => stateEntryKey(0, 'count', Buffer.from(text))
  const text = (value: Buffer | undefined): string | undefined => value?.toString()
  const at = (epoch: number): StorePosition => ({
    epoch,
    nonce: `nonce-${String(epoch)}`,
    lineage: 'a',
    generation: 0,
    changelogEnd: epoch * 10,
    appliedAtMs: 1_000 + epoch,
  })

  describe(`state store: ${name}`, () => {
    let place: StateStorePlace
    let store: StateStore

    beforeEach(async () => {
      place = await makePlace()
      store = place.store()
    })
    afterEach(async () => {
      await store.close()
      await place.remove()
    })

    const reopen = async (): Promise<StorePosition | null> => {
      await store.close()
      store = place.store()
      await store.open()
      return store.position
    }

    test('a new store has no position and no values', async () => {
      await store.open()
      expect(store.position).toBeNull()
      expect(store.get(key('a'))).toBeUndefined()
    })

    test('apply sets, overwrites and deletes, and a later entry of one delta wins', async () => {
      await store.open()
      await store.apply(
        [
          { key: key('a'), value: Buffer.from('1') },
          { key: key('b'), value: Buffer.from('2') },
          { key: key('b'), value: Buffer.from('3') },
        ],
        at(1),
      )
      expect([text(store.get(key('a'))), text(store.get(key('b')))]).toEqual(['1', '3'])
      await store.apply(
        [
          { key: key('a'), value: null },
          { key: key('missing'), value: null },
        ],
        at(2),
      )
      expect([text(store.get(key('a'))), text(store.get(key('b')))]).toEqual([undefined, '3'])
    })

    test('values and the last position are found again after close and open', async () => {
      await store.open()
      await store.apply([{ key: key('a'), value: Buffer.from('1') }], at(1))
      await store.apply([{ key: key('b'), value: Buffer.from('2') }], at(2))
      expect(store.position).toEqual(at(2))
      expect(await reopen()).toEqual(at(2))
      expect([text(store.get(key('a'))), text(store.get(key('b')))]).toEqual(['1', '2'])
    })

    test('load writes values and leaves the position where it was', async () => {
      await store.open()
      await store.load([{ key: key('a'), value: Buffer.from('1') }])
      expect(await reopen()).toBeNull()
      await store.apply([], at(1))
      await store.load([{ key: key('a'), value: Buffer.from('2') }])
      expect(await reopen()).toEqual(at(1))
      expect(text(store.get(key('a')))).toBe('2')
    })

    test('wipe forgets values and position, and the store can be used on', async () => {
      await store.open()
      await store.apply([{ key: key('a'), value: Buffer.from('1') }], at(1))
      await store.wipe()
      expect(store.position).toBeNull()
      expect(store.get(key('a'))).toBeUndefined()
      expect(await reopen()).toBeNull()
      await store.apply([{ key: key('b'), value: Buffer.from('2') }], at(3))
      expect(await reopen()).toEqual(at(3))
      expect([text(store.get(key('a'))), text(store.get(key('b')))]).toEqual([undefined, '2'])
    })

    test('keys and values may be any bytes, empty values and long ones included', async () => {
      await store.open()
      const bytes = Buffer.from(Array.from({ length: 256 }, (_, index) => index))
      const long = Buffer.alloc(3_000_000, 7)
      await store.apply(
        [
          { key: stateEntryKey(1, 'ü', bytes), value: bytes },
          { key: stateEntryKey(1, 'ü', Buffer.alloc(0)), value: Buffer.alloc(0) },
          { key: stateEntryKey(2, 'ü', bytes), value: long },
        ],
        at(1),
      )
      expect(store.get(stateEntryKey(1, 'ü', bytes))).toEqual(bytes)
      expect(store.get(stateEntryKey(1, 'ü', Buffer.alloc(0)))).toEqual(Buffer.alloc(0))
      expect(store.get(stateEntryKey(2, 'ü', bytes))?.equals(long)).toBe(true)
    })

    test('changing a returned value does not change the store', async () => {
      await store.open()
      await store.apply([{ key: key('a'), value: Buffer.from('1') }], at(1))
      store.get(key('a'))?.fill('9')
      expect(text(store.get(key('a')))).toBe('1')
    })

    test('the first key from a place on is found in the order of bytes, the place included', async () => {
      await store.open()
      const keys = ['', 'a', 'b', '\u00ff'].map(key)
      expect(await store.firstKey(Buffer.from([1]))).toBeUndefined()
      await store.apply(
        keys.toReversed().map((each) => ({ key: each, value: Buffer.from('1') })),
        at(1),
      )
      expect(await store.firstKey(Buffer.from([1]))).toEqual(keys[0])
      for (const each of keys) expect(await store.firstKey(each)).toEqual(each)
      expect(await store.firstKey(Buffer.concat([key('a'), Buffer.from([0])]))).toEqual(keys[2])
      await store.apply([{ key: key('a'), value: null }], at(2))
      expect(await store.firstKey(key('a'))).toEqual(keys[2])
    })

    test('a store that is not open refuses to be read', () => {
      expect(() => store.get(key('a'))).toThrow(expect.objectContaining({ code: 'broken-invariant' }))
    })
  })
}
