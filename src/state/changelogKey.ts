import { isUtf8 } from 'node:buffer'
import { TidemarkError } from '../core/errors.ts'

/**
 * The keys of a task's changelog, which are the keys of its local store as well.
 *
 *     00                                                   the lineage record
 *     01 | generation u32 | uid length u16 | uid | key     a state entry
 *     02                                                   the commit record; never in a local store
 *     ff                                                   the local store's position; never in a changelog
 *
 * Numbers are big endian, so that one generation, and within it one operator, is one range of a sorted store. A length
 * stands before the uid and the state key takes the rest, so the encoding is injective and keys may hold any bytes. The
 * kinds between are free for what rides in the changelog later (the write-ahead log of followers).
 */
const lineageKind = 0x00
const stateKind = 0x01
const commitKind = 0x02
const positionKind = 0xff

const fixedBytes = 1 + 4 + 2
const maxGeneration = 0xffff_ffff
const maxUidBytes = 0xffff

/** The key of the one lineage record of a changelog. */
export const lineageKey: Buffer = Buffer.from([lineageKind])

/** The key of the one commit record of a changelog. */
export const commitKey: Buffer = Buffer.from([commitKind])

/** Where a local store keeps its position. */
export const localPositionKey: Buffer = Buffer.from([positionKind])

/** A key of the changelog, taken apart. */
export type ChangelogKey =
  | { readonly kind: 'lineage' }
  | { readonly kind: 'commit' }
  | { readonly kind: 'state'; readonly generation: number; readonly uid: string; readonly stateKey: Buffer }

/**
 * What all keys of one operator's state begin with.
 *
 * @throws `invalid-argument` for a uid that is empty, longer than 65,535 bytes, or not well-formed Unicode (two such
 *   strings could share their UTF-8).
 */
export function statePrefix(generation: number, uid: string): Buffer {
  if (!Number.isInteger(generation) || generation < 0 || generation > maxGeneration) {
    throw new TidemarkError('broken-invariant', `Changelog generation ${String(generation)} is not a 32-bit number.`)
  }
  const uidBytes = Buffer.from(uid, 'utf8')
  if (uid.length === 0 || uidBytes.length > maxUidBytes || !uid.isWellFormed()) {
    throw new TidemarkError(
      'invalid-argument',
      `The uid ${JSON.stringify(uid.slice(0, 100))} cannot name state: a uid is 1 to ${String(maxUidBytes)} bytes of well-formed text.`,
    )
  }
  const prefix = Buffer.alloc(fixedBytes + uidBytes.length)
  prefix.writeUInt8(stateKind, 0)
  prefix.writeUInt32BE(generation, 1)
  prefix.writeUInt16BE(uidBytes.length, 5)
  prefix.set(uidBytes, fixedBytes)
  return prefix
}

/** What all state keys of a generation begin with. */
export function generationPrefix(generation: number): Buffer {
  const prefix = Buffer.alloc(5)
  prefix.writeUInt8(stateKind, 0)
  prefix.writeUInt32BE(generation, 1)
  return prefix
}

/** The first bytes, in the order of a sorted store, behind all keys that begin with a prefix. */
export function behindPrefix(prefix: Buffer): Buffer {
  const behind = Buffer.from(prefix)
  // The first byte is a kind, and none of them is the last byte there is.
  let at = behind.length - 1
  while (behind[at] === 0xff) at -= 1
  behind[at] = (behind[at] ?? 0) + 1
  return behind.subarray(0, at + 1)
}

/** Whether a key is a state entry of this generation; cheap, for filters over a whole changelog. */
export function belongsToGeneration(key: Buffer, generation: number): boolean {
  return generationOf(key) === generation
}

/** The generation of a state entry; null for keys of another kind. */
export function generationOf(key: Buffer): number | null {
  return key.length >= fixedBytes && key[0] === stateKind ? key.readUInt32BE(1) : null
}

/** @throws `corrupt-store` for bytes that this file never makes. */
export function decodeChangelogKey(key: Buffer): ChangelogKey {
  if (key.equals(lineageKey)) return { kind: 'lineage' }
  if (key.equals(commitKey)) return { kind: 'commit' }
  if (key.length >= fixedBytes && key[0] === stateKind) {
    const uidEnd = fixedBytes + key.readUInt16BE(5)
    const uidBytes = key.subarray(fixedBytes, uidEnd)
    if (uidEnd > fixedBytes && uidEnd <= key.length && isUtf8(uidBytes)) {
      return {
        kind: 'state',
        generation: key.readUInt32BE(1),
        uid: uidBytes.toString('utf8'),
        stateKey: key.subarray(uidEnd),
      }
    }
  }
  throw new TidemarkError(
    'corrupt-store',
    `A changelog holds the key 0x${key.toString('hex', 0, 64)}, which Tidemark does not write; is the topic written by something else?`,
  )
}
