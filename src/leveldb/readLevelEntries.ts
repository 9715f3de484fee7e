import { TidemarkError } from '../core/errors.ts'
import { blockEntries, readBlock, readTableIndex } from './tableBlocks.ts'
import { levelFilesIn, readVersion, internalKeyBytes, sequenceOf, type LevelFiles } from './readVersion.ts'
import { LogScan } from './logScan.ts'
import { openStored, type StoredFile } from './storedFile.ts'
import { liveLogs } from './verifyLevel.ts'
import { batchEntries, type LevelEntry } from './writeBatch.ts'

/** Of a larger batch nothing is read. */
const maxBatchBytes = 512 * 1024 * 1024

/**
 * All writes of a LevelDB directory that are whole, whatever else is damaged: of tables whose footer and index can be read,
 * each block with the right checksum; of logs, each batch. Of two writes of a key the later one is the newer where CURRENT
 * and MANIFEST are whole. Where they are not, every file that is there is read, also what LevelDB did not need any more, and
 * only `sequence` tells. Changes nothing; nobody may write there meanwhile.
 *
 * `upTo`: only of keys up to this one, for which of tables only the blocks up to it are read.
 *
 * Memory: a block of a table, a batch of a log.
 *
 * @throws what the file system throws when it refuses to read.
 */
export async function* readLevelEntries(directory: string, upTo: Buffer | null = null): AsyncGenerator<LevelEntry> {
  const files = await levelFilesIn(directory)
  if (files === null) return
  const isBeyond = (key: Buffer): boolean => upTo !== null && Buffer.compare(key, upTo) > 0
  const { tables, logs } = await sources(directory, files, isBeyond)
  for (const [name, read] of [
    ...tables.map((each) => [each, tableEntries] as const),
    ...logs.map((each) => [each, logEntries] as const),
  ]) {
    const file = await openStored(directory, name)
    if (file === null) continue
    try {
      for await (const entry of read(file)) {
        if (!isBeyond(entry.key)) yield entry
        // A table has its keys in their order.
        else if (read === tableEntries) break
      }
    } finally {
      await file.close()
    }
  }
}

/** The files to read, oldest content first. */
async function sources(
  directory: string,
  files: LevelFiles,
  isBeyond: (key: Buffer) => boolean,
): Promise<{ readonly tables: readonly string[]; readonly logs: readonly string[] }> {
  const { version, damage } = await readVersion(directory)
  if (version === null || damage !== null) {
    const byNumber = (names: ReadonlyMap<number, string>): readonly string[] =>
      [...names].toSorted(([a], [b]) => a - b).map(([, name]) => name)
    return { tables: byNumber(files.tables), logs: byNumber(files.logs) }
  }
  const tables = [...version.tables.values()]
    .filter(({ smallest }) => !isBeyond(smallest.subarray(0, -internalKeyBytes)))
    .toSorted((a, b) => b.level - a.level || a.number - b.number)
  return {
    tables: tables.flatMap(({ number }) => files.tables.get(number) ?? []),
    logs: liveLogs(version, files),
  }
}

async function* tableEntries(file: StoredFile): AsyncGenerator<LevelEntry> {
  const index = await ifWhole(() => readTableIndex(file))
  let before: Buffer = Buffer.alloc(0)
  let some = false
  for (const block of index?.data ?? []) {
    const content = await ifWhole(() => readBlock(file, block))
    if (content === null) continue
    const entries = await ifWhole(() => [...blockEntries(content)])
    for (const { key: internalKey, value } of entries ?? []) {
      if (internalKey.length < internalKeyBytes) continue
      const key = internalKey.subarray(0, -internalKeyBytes)
      // Of one key the newest comes first.
      if (some && before.equals(key)) continue
      before = key
      some = true
      const deleted = internalKey[internalKey.length - internalKeyBytes] === 0
      yield { key, value: deleted ? null : value, sequence: sequenceOf(internalKey) }
    }
  }
}

async function* logEntries(file: StoredFile): AsyncGenerator<LevelEntry> {
  let records: Buffer[] = []
  const scan = new LogScan({
    keepBytes: maxBatchBytes,
    pastDamage: true,
    // A copy: the bytes are valid during the call.
    take: (_offset, record) => records.push(Buffer.from(record)),
  })
  for await (const block of file.logBlocks()) {
    scan.push(block)
    for (const record of records) yield* (await ifWhole(() => [...batchEntries(record)])) ?? []
    records = []
  }
}

/** Null where the bytes are not what LevelDB writes. */
async function ifWhole<T>(read: () => T | Promise<T>): Promise<T | null> {
  try {
    return await read()
  } catch (error) {
    if (error instanceof TidemarkError && error.code === 'corrupt-store') return null
    throw error
  }
}
