import { createHash } from 'node:crypto'

/**
 * The layout of the embedded store's keys. The first byte says what an entry is, names are length-prefixed, numbers are
 * big-endian, so that byte order is the order of offsets.
 *
 *     0  'wiping'                                          present: everything else is void, see EmbeddedStore.open
 *     1  'format'                                          version of this layout, and the store's id
 *     2  'upgrading'                                       how far a store of format 1 has become one of format 2
 *     t  topic name                                        the topic's settings
 *     r  topic id (4) | partition (4) | last offset (8)    a batch of records
 *     c  topic id (4) | partition (4)                      how far a changelog is compacted
 *     o  group | topic | partition (4)                     a committed offset
 *     j  job name                                          a job's control record
 *     d  keyspace | table                                  a table's definition
 *     w  table id (4) | primary key                        a row
 */
export const wipingKey = Buffer.from([0])
export const formatKey = Buffer.from([1])
export const upgradingKey = Buffer.from([2])
/** Not above any key of content. */
export const firstContentKey = Buffer.from([2])

const tags = { topic: 't', record: 'r', cleaned: 'c', offset: 'o', control: 'j', table: 'd', row: 'w' } as const
type Tag = keyof typeof tags
const tagNames = new Map(Object.entries(tags).map(([name, letter]) => [letter.charCodeAt(0), name as Tag]))
const batchTag = tags.record.charCodeAt(0)
const rowTag = tags.row.charCodeAt(0)

const offsetBytes = 8
const twoTo32 = 0x1_0000_0000

/** All entries of one sort. */
export function tagRange(tag: Tag): { readonly from: Buffer; readonly to: Buffer } {
  return prefixRange(tagByte(tag))
}

export function topicKey(name: string): Buffer {
  return Buffer.concat([tagByte('topic'), Buffer.from(name)])
}

/** The batch of a partition that ends at an offset. */
export function batchKey(topicId: number, partition: number, lastOffset: number): Buffer {
  const key = Buffer.allocUnsafe(9 + offsetBytes)
  key.write(tags.record, 'latin1')
  key.writeUInt32BE(topicId, 1)
  key.writeUInt32BE(partition, 5)
  key.writeUInt32BE(Math.floor(lastOffset / twoTo32), 9)
  key.writeUInt32BE(lastOffset % twoTo32, 13)
  return key
}

export function batchLastOffset(key: Buffer): number {
  return key.readUInt32BE(9) * twoTo32 + key.readUInt32BE(13)
}

export function cleanedKey(topicId: number, partition: number): Buffer {
  return Buffer.concat([tagByte('cleaned'), word(topicId), word(partition)])
}

export function offsetKey(group: string, topic: string, partition: number): Buffer {
  return Buffer.concat([tagByte('offset'), sized(group), sized(topic), word(partition)])
}

/** All committed offsets of a group. */
export function groupRange(group: string): { readonly from: Buffer; readonly to: Buffer } {
  return prefixRange(Buffer.concat([tagByte('offset'), sized(group)]))
}

/** Which input a committed offset is of. */
export interface OffsetPlace {
  readonly group: string
  readonly topic: string
  readonly partition: number
}

/** As far as the key tells: it may be damaged. */
export function parseOffsetKey(key: Buffer): OffsetPlace {
  const [group = '', topic = ''] = sizedTexts(key)
  return { group, topic, partition: key.length < 4 ? 0 : key.readUInt32BE(key.length - 4) }
}

export function controlKey(job: string): Buffer {
  return Buffer.concat([tagByte('control'), Buffer.from(job)])
}

export function tableKey(keyspace: string, table: string): Buffer {
  return Buffer.concat([tagByte('table'), sized(keyspace), sized(table)])
}

export function rowKey(tableId: number, primaryKey: Buffer): Buffer {
  const key = Buffer.allocUnsafe(5 + primaryKey.length)
  key.write(tags.row, 'latin1')
  key.writeUInt32BE(tableId, 1)
  key.set(primaryKey, 5)
  return key
}

/** All rows of a table. */
export function rowsRange(tableId: number): { readonly from: Buffer; readonly to: Buffer } {
  return prefixRange(rowKey(tableId, Buffer.alloc(0)))
}

/** Batches and rows: what there is most of. The checksums of all others are those of `SealedStorage`. */
export function hasOwnChecksum(key: Buffer): boolean {
  return key[0] === batchTag || key[0] === rowTag
}

/** Of which sort an entry is; null for none of those that make up the content, and for a key that cannot be. */
export function tagOf(key: Buffer): Tag | null {
  const tag = tagNames.get(key[0] ?? 0) ?? null
  if (tag === 'record') return key.length === 9 + offsetBytes ? tag : null
  if (tag === 'cleaned') return key.length === 9 ? tag : null
  if (tag === 'row') return key.length >= 5 ? tag : null
  if (tag === 'offset') return isOffsetKey(key) ? tag : null
  return tag
}

function isOffsetKey(key: Buffer): boolean {
  let at = 1
  for (let name = 0; name < 2; name += 1) {
    if (key.length < at + 4) return false
    at += 4 + key.readUInt32BE(at)
  }
  return key.length === at + 4
}

/** Topic and partition of a batch, and of a compaction's progress. */
export function parseBatchKey(key: Buffer): { readonly topicId: number; readonly partition: number } {
  return { topicId: key.readUInt32BE(1), partition: key.readUInt32BE(5) }
}

export function rowTableId(key: Buffer): number {
  return key.readUInt32BE(1)
}

/** A digest of a row's primary key, for messages: the key itself may be a secret. */
export function rowKeyDigest(key: Buffer): string {
  return createHash('sha256').update(key.subarray(5)).digest('hex').slice(0, 16)
}

/** What stands under a key, for messages. */
export function displayKey(key: Buffer): string {
  switch (key.toString('latin1', 0, 1)) {
    case tags.topic:
      return `The settings of topic ${key.toString('utf8', 1)}`
    case tags.cleaned:
      return 'The progress of a compaction'
    case tags.offset: {
      const { group, topic, partition } = parseOffsetKey(key)
      return `The committed offset of group ${group} for ${topic}, partition ${String(partition)},`
    }
    case tags.control:
      return `The control record of job ${key.toString('utf8', 1)}`
    case tags.table:
      return `The definition of table ${sizedTexts(key).join('.')}`
    default:
      return 'An entry'
  }
}

/** The names in a key, as far as it holds some: it may be damaged. */
function sizedTexts(key: Buffer): readonly string[] {
  const texts: string[] = []
  for (let at = 1; at + 4 <= key.length && texts.length < 2;) {
    const end = at + 4 + key.readUInt32BE(at)
    texts.push(key.toString('utf8', at + 4, end))
    at = end
  }
  return texts
}

function prefixRange(prefix: Buffer): { readonly from: Buffer; readonly to: Buffer } {
  const to = Buffer.from(prefix)
  // Tags are ASCII, so that some byte of the prefix can always be raised.
  let at = to.length - 1
  while (to[at] === 0xff) at -= 1
  to[at] = (to[at] ?? 0) + 1
  return { from: prefix, to: to.subarray(0, at + 1) }
}

function tagByte(tag: Tag): Buffer {
  return Buffer.from(tags[tag], 'latin1')
}

function sized(text: string): Buffer {
  const bytes = Buffer.from(text)
  return Buffer.concat([word(bytes.length), bytes])
}

function word(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(4)
  bytes.writeUInt32BE(value)
  return bytes
}
