import { fc, test as property } from '@fast-check/vitest'
import { describe, expect, test } from 'vitest'
import { stateEntryKey } from './stateEntryKey.ts'
import {
  belongsToGeneration,
  decodeChangelogKey,
  commitKey,
  lineageKey,
  localPositionKey,
} from '../../src/state/changelogKey.ts'
import { decodeLineage, lineageEntry } from '../../src/state/changelogRecords.ts'

const generations = fc.integer({ min: 0, max: 0xffff_ffff })
const uids = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 })
const keys = fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes))
const parts = fc.record({ generation: generations, uid: uids, stateKey: keys })

describe('changelog keys', () => {
  property.prop([parts])('decoding gives back what was encoded', ({ generation, uid, stateKey }) => {
    const key = stateEntryKey(generation, uid, stateKey)
    expect(decodeChangelogKey(key)).toEqual({ kind: 'state', generation, uid, stateKey })
    expect(belongsToGeneration(key, generation)).toBe(true)
    expect(belongsToGeneration(key, generation ^ 1)).toBe(false)
  })

  property.prop([parts, parts])('different parts give different keys', (a, b) => {
    const same = a.generation === b.generation && a.uid === b.uid && a.stateKey.equals(b.stateKey)
    const equal = stateEntryKey(a.generation, a.uid, a.stateKey).equals(stateEntryKey(b.generation, b.uid, b.stateKey))
    expect(equal).toBe(same)
  })

  property.prop([fc.string({ unit: 'grapheme', minLength: 2, maxLength: 20 })])(
    'moving a boundary between uid and state key gives another key',
    (text) => {
      const seen = new Set<string>()
      let count = 0
      for (let cut = 1; cut <= text.length; cut += 1) {
        if (!text.slice(0, cut).isWellFormed()) continue
        seen.add(stateEntryKey(0, text.slice(0, cut), Buffer.from(text.slice(cut))).toString('hex'))
        count += 1
      }
      expect(seen.size).toBe(count)
    },
  )

  property.prop([fc.uint8Array({ maxLength: 30 })])(
    'any bytes either decode to a key that encodes to them, or throw',
    (bytes) => {
      const key = Buffer.from(bytes)
      let decoded
      try {
        decoded = decodeChangelogKey(key)
      } catch (error) {
        expect(error).toMatchObject({ code: 'corrupt-store' })
        return
      }
      const again =
        decoded.kind === 'state'
          ? stateEntryKey(decoded.generation, decoded.uid, decoded.stateKey)
          : { lineage: lineageKey, commit: commitKey }[decoded.kind]
      expect(again.equals(key)).toBe(true)
    },
  )

  test('no state key equals the lineage key or the local position', () => {
    const key = stateEntryKey(0, 'a', Buffer.alloc(0))
    expect(key.equals(lineageKey)).toBe(false)
    expect(key.equals(localPositionKey)).toBe(false)
    expect(() => decodeChangelogKey(localPositionKey)).toThrow(expect.objectContaining({ code: 'corrupt-store' }))
  })

  test.each([
    ['an empty uid', ''],
    ['a lone surrogate', 'a\ud800'],
    ['a uid of 65,536 bytes', 'a'.repeat(65_536)],
  ])('%s is refused', (_, uid) => {
    expect(() => stateEntryKey(0, uid, Buffer.alloc(0))).toThrow(expect.objectContaining({ code: 'invalid-argument' }))
  })

  test.each([-1, 0.5, 2 ** 32, NaN])('generation %d is refused', (generation) => {
    expect(() => stateEntryKey(generation, 'a', Buffer.alloc(0))).toThrow(
      expect.objectContaining({ code: 'broken-invariant' }),
    )
  })
})

describe('the lineage record', () => {
  property.prop([fc.string(), generations])('reads back as it was written', (lineage, generation) => {
    const entry = lineageEntry({ lineage, generation })
    expect(entry.key).toEqual(lineageKey)
    expect(decodeLineage(entry.value)).toEqual({ lineage, generation })
  })

  test.each([null, '', 'null', '[]', '{"lineage":1,"generation":1}', '{"lineage":"a","generation":1.5}'])(
    'the value %j is refused',
    (value) => {
      expect(() => decodeLineage(value === null ? null : Buffer.from(value))).toThrow(
        expect.objectContaining({ code: 'corrupt-store' }),
      )
    },
  )
})
