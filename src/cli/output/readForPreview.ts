import { TidemarkError } from '../../core/errors.ts'
import type { GroupPosition, Topics } from '../../core/ports/topics.ts'
import type { StreamRecord } from '../../core/record.ts'
import type { StartMode } from '../../core/startMode.ts'
import type { Plan } from '../../runtime/plan/plan.ts'
import { selects } from '../../core/topicSelection.ts'
import { nextPage } from '../commands/readRecords.ts'

export interface PreviewPlace {
  readonly from: StartMode
  /** Most records in all. */
  readonly limit: number
}

/**
 * Records of the job's inputs, spread over the partitions, in the order of each. Reads what is there and waits for nothing;
 * `latest` gives the last records that are there. Throws `unknown-topic`, and `no-committed-offset` for `committed` where
 * nothing is committed.
 */
export async function readForPreview(
  topics: Topics,
  { sources, groupId }: Plan,
  { from, limit }: PreviewPlace,
): Promise<readonly StreamRecord[]> {
  const names = await topicsOf(topics, sources)
  const ends = new Map<string, readonly number[]>()
  for (const name of names) ends.set(name, (await topics.describeTopic(name)).endOffsets)
  const committed = from.kind === 'committed' ? await topics.committedOffsets(groupId) : []
  const places = [...ends].flatMap(([topic, offsets]) => offsets.map((end, partition) => ({ topic, partition, end })))
  const share = Math.ceil(limit / Math.max(1, places.length))
  const found: StreamRecord[] = []
  for (const place of places) {
    const start = startOf(place, from, committed, share)
    if (start === null) continue
    const notBefore = from.kind === 'timestamp' ? from.timestampMs : -Infinity
    const cursor = { ...place, next: start, notBefore }
    for (let left = Math.min(share, limit - found.length); left > 0 && cursor.next < cursor.end;) {
      const records = await nextPage(topics, place.topic, cursor, left)
      found.push(...records)
      left -= records.length
    }
  }
  return found
}

async function topicsOf(topics: Topics, sources: Plan['sources']): Promise<readonly string[]> {
  const named = sources.flatMap((source) => (source.topics.kind === 'topics' ? source.topics.topics : []))
  const patterns = sources.filter((source) => source.topics.kind === 'pattern')
  if (patterns.length === 0) return [...new Set(named)]
  const all = await topics.listTopics()
  const matching = all.map(({ name }) => name).filter((name) => patterns.some((source) => selects(source.topics, name)))
  return [...new Set([...named, ...matching])]
}

/** Null: nothing of this partition. */
function startOf(
  { topic, partition, end }: { readonly topic: string; readonly partition: number; readonly end: number },
  from: StartMode,
  committed: readonly GroupPosition[],
  share: number,
): number | null {
  switch (from.kind) {
    case 'earliest':
    case 'timestamp':
      return 0
    case 'latest':
      return Math.max(0, end - share)
    case 'offsets':
      return from.offsets.get(partition) ?? null
    case 'committed': {
      const found = committed.find((offset) => offset.topic === topic && offset.partition === partition)
      if (found !== undefined) return found.offset
      throw new TidemarkError(
        'no-committed-offset',
        `Nothing is committed for ${topic}, partition ${String(partition)}: choose another --from, for example earliest.`,
        { details: { topic, partition } },
      )
    }
  }
}
