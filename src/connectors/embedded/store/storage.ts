export type StorageOperation =
  | { readonly type: 'put'; readonly key: Buffer; readonly value: Buffer }
  | { readonly type: 'del'; readonly key: Buffer }

export type StorageEntry = readonly [key: Buffer, value: Buffer]

/** A stretch of keys, in byte order. */
export interface KeyRange {
  /** Inclusive. */
  readonly from: Buffer
  /** Exclusive; null: to the last key. */
  readonly to: Buffer | null
}

export interface ScanRequest extends KeyRange {
  /** Most entries; there may be fewer although more are left. */
  readonly limit: number
  /** Stops after the entry that reaches this many bytes. */
  readonly maxBytes: number
  /** From the end of the range downwards. */
  readonly reverse?: boolean
}

export interface WriteOptions {
  /** True: the write, and all before it, survive a power failure once it has resolved. */
  readonly sync: boolean
}

/** The ordered key-value store under the embedded world; LevelDB outside of tests. A write is atomic. */
export interface Storage {
  /** Reads one entry without waiting. */
  get(key: Buffer): Buffer | undefined
  /** The same of a value that is text; a buffer less, which is a third of the time of a small read. */
  getText(key: Buffer): string | undefined
  /** One page of a range; an empty one: nothing is left. */
  scan(request: ScanRequest): Promise<readonly StorageEntry[]>
  write(operations: readonly StorageOperation[], options: WriteOptions): Promise<void>
  /** Deletes a range, bit by bit: not atomic; each bit is durable before the next. */
  clear(range: KeyRange): Promise<void>
  close(): Promise<void>
  /** Told once which store this is, by one that has more than one place of its own, and checks that they belong together. */
  identify?(storeId: string): Promise<void>
}

/** Goes through a range page by page, holding one page in memory. */
export async function* scanPages(
  storage: Storage,
  range: KeyRange,
  page: { readonly limit: number; readonly maxBytes: number },
): AsyncGenerator<readonly StorageEntry[], void> {
  let { from } = range
  for (;;) {
    const entries = await storage.scan({ from, to: range.to, ...page })
    const last = entries.at(-1)
    if (last === undefined) return
    yield entries
    from = keyAfter(last[0])
  }
}

/** The smallest key above another. */
export function keyAfter(key: Buffer): Buffer {
  return Buffer.concat([key, Buffer.alloc(1)])
}
