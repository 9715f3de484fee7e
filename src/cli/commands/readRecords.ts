import * as E from 'fp-ts/lib/Either.js'
import { TidemarkError } from '../../core/errors.ts'
import { integer, textCodec } from '../../core/settingCodecs.ts'
import { startMode } from '../../core/startMode.ts'
import { sleep, type Clock } from '../../core/ports/clock.ts'
import type { Topics } from '../../core/ports/topics.ts'
import type { StreamRecord } from '../../core/record.ts'

/** Where `topic read` begins in each partition. */
export type ReadFrom =
  | { readonly kind: 'earliest' }
  | { readonly kind: 'latest' }
  | { readonly kind: 'offset'; readonly offset: number }
  /** The first record that is not older, and all after it. */
  | { readonly kind: 'timestamp'; readonly timestampMs: number }

const readFromRule = 'earliest, latest, an offset such as 12, or an ISO time with zone such as 2026-11-01T08:00:00Z'

/** Where to read from: `earliest`, `latest`, an offset, or a time, which may also be spelt `timestamp:<time>`. */
export const readFrom = textCodec<ReadFrom>(
  readFromRule,
  (input) => {
    const text = input.trim()
    const offset = integer({ min: 0 }).decode(text)
    if (E.isRight(offset)) return E.right({ kind: 'offset', offset: offset.right })
    const mode = startMode.decode(/^\d{4}-/.test(text) ? `timestamp:${text}` : text)
    if (E.isLeft(mode) || /^committed/i.test(text)) return E.left(readFromRule)
    const from = mode.right
    if (from.kind === 'offsets' || from.kind === 'committed') return E.left(readFromRule)
    return E.right(from)
  },
  (from) => {
    switch (from.kind) {
      case 'offset':
        return String(from.offset)
      case 'timestamp':
        return new Date(from.timestampMs).toISOString()
      default:
        return from.kind
    }
  },
)

/** What `topic read` was asked for. */
export interface ReadingRequest {
  readonly topic: string
  /** Null: all. */
  readonly partition: number | null
  readonly from: ReadFrom
  /** Most records in all. */
  readonly limit: number
  /** Goes on with records that are written later, until the signal. */
  readonly follow: boolean
  readonly signal: AbortSignal
}

const pageRecords = 20_000
const pageBytes = 1024 * 1024

/** How long `follow` waits before it looks again, and at most when nothing comes. */
const firstPollMs = 100
const longestPollMs = 500

/** Where the reading of a partition stands. */
interface Cursor {
  readonly partition: number
  next: number
  /** Exclusive; grows with `follow`. */
  end: number
  /** Records that are older are passed over until the first that is not. */
  notBefore: number
}

/**
 * Committed records, in the order of each partition: partition after partition up to the ends found at the start, or, with
 * `follow`, in turns for ever. Holds one page of 1 MiB or one record.
 */
export async function* readRecords(
  topics: Topics,
  request: ReadingRequest,
  clock: Clock,
): AsyncGenerator<readonly StreamRecord[], void, undefined> {
  const { topic, signal, follow } = request
  const cursors = await openCursors(topics, request)
  let left = request.limit
  for (let pollMs = firstPollMs; left > 0 && !signal.aborted; pollMs = Math.min(pollMs * 2, longestPollMs)) {
    for (const cursor of cursors) {
      while (cursor.next < cursor.end && left > 0 && !signal.aborted) {
        const records = await nextPage(topics, topic, cursor, left)
        if (records.length === 0) continue
        left -= records.length
        pollMs = firstPollMs
        yield records
      }
    }
    if (!follow) return
    if (left > 0) await sleep(clock, pollMs, signal)
    if (signal.aborted) return
    const { endOffsets } = await topics.describeTopic(topic)
    for (const cursor of cursors) cursor.end = endOffsets[cursor.partition] ?? 0
  }
}

/** The end offsets of a topic; none of one that is not there. */
export async function endOffsetsOf(topics: Pick<Topics, 'describeTopic'>, topic: string): Promise<readonly number[]> {
  try {
    return (await topics.describeTopic(topic)).endOffsets
  } catch (error) {
    if (error instanceof TidemarkError && error.code === 'unknown-topic') return []
    throw error
  }
}

async function openCursors(topics: Topics, request: ReadingRequest): Promise<readonly Cursor[]> {
  const { topic, partition: only, from } = request
  const { endOffsets } = await topics.describeTopic(topic)
  // A partition that the topic does not have is refused by the store, which says how many there are.
  if (only !== null && only >= endOffsets.length) {
    await topics.readPage({ topic, partition: only, from: 0, limit: 1 })
  }
  return endOffsets
    .map((end, partition) => ({
      partition,
      next: from.kind === 'latest' ? end : from.kind === 'offset' ? from.offset : 0,
      end,
      notBefore: from.kind === 'timestamp' ? from.timestampMs : -Infinity,
    }))
    .filter(({ partition }) => only === null || only === partition)
}

/** The next records before the cursor's end; none when all of a page were passed over. */
export async function nextPage(
  topics: Topics,
  topic: string,
  cursor: Cursor,
  limit: number,
): Promise<readonly StreamRecord[]> {
  const { partition, next: from, end, notBefore } = cursor
  const isPassing = notBefore !== -Infinity
  const most = isPassing ? pageRecords : Math.min(pageRecords, limit)
  const page = await topics.readPage({ topic, partition, from, limit: most, maxBytes: pageBytes })
  // At the end although records were promised: retention or compaction has taken them.
  cursor.next = page.next === from ? end : page.next
  const records = page.records.filter(({ offset }) => offset < end)
  if (!isPassing) return records
  const first = records.findIndex(({ timestamp }) => timestamp >= notBefore)
  if (first === -1) return []
  cursor.notBefore = -Infinity
  return records.slice(first, first + limit)
}
