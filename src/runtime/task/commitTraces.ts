import type { ChangelogFact, ChangelogRecords, CommitRecord, LineageRecord } from '../../core/changelogRecords.ts'
import { readCommitMetadata } from '../../core/commitMetadata.ts'
import type { TaskView } from '../../core/ports/jobLog.ts'
import type { CommitContent, CommitMetadata } from '../../core/ports/task.ts'
import type { CommittedPosition } from '../../core/ports/commitLog.ts'

/** What the committed positions of a task's inputs say. */
export interface CommittedPositions {
  readonly committed: ReadonlyMap<string, CommittedPosition>
  /** Of the inputs whose position carries some. */
  readonly metadata: ReadonlyMap<string, CommitMetadata>
  /** Inputs whose position carries a text that is not ours. */
  readonly foreign: readonly string[]
}

/** What the end of a task's changelog says, from the last commit on where the committed positions tell which that is. */
export interface ChangelogTail {
  /** Nothing was ever committed to it, or nothing of that is left. */
  readonly empty: boolean
  /** The last one that was read; null: none was. */
  readonly lineage: LineageRecord | null
  readonly commit: CommitRecord | null
  /** Entries stand behind the commit record, which a version that knows no commit records has written. */
  readonly goesOn: boolean
  /** The highest that was read; null: none was. */
  readonly generation: number | null
  /** Where it ends. */
  readonly end: number
}

/** What is found of a task's commits, whether it fits together or not. */
export interface CommitTraces extends CommittedPositions {
  readonly changelog: ChangelogTail
}

export async function readTraces(log: TaskView, records: ChangelogRecords): Promise<CommitTraces> {
  const found = await readCommitted(log)
  return { ...found, changelog: await readTail(log, records, found) }
}

export async function readCommitted(log: Pick<TaskView, 'commitLog'>): Promise<CommittedPositions> {
  const committed = await log.commitLog.committed()
  const metadata = new Map<string, CommitMetadata>()
  const foreign: string[] = []
  for (const [topic, { metadata: text }] of committed) {
    if (text === '') continue
    const read = readCommitMetadata(text)
    if (read === null) foreign.push(topic)
    else metadata.set(topic, read)
  }
  return { committed, metadata, foreign }
}

/** The highest generation of which anything is left; null: there is nothing. */
export function knownGeneration({ metadata, changelog }: CommitTraces): number | null {
  const known = [...metadata.values()].map(({ generation }) => generation)
  if (changelog.generation !== null) known.push(changelog.generation)
  return known.length === 0 ? null : Math.max(...known)
}

/** All commits that are found. */
export function commitsAmong({ metadata, changelog }: CommitTraces): readonly CommitContent[] {
  return [...metadata.values(), ...(changelog.commit === null ? [] : [changelog.commit.commit])]
}

/**
 * All of a changelog is read only where the committed positions do not tell where the last commit ends: behind it stands
 * nothing that was committed, and its commit record is the last entry before. That is needed where an input's position is
 * missing, and where the job has followers.
 */
async function readTail(
  log: TaskView,
  records: ChangelogRecords,
  { metadata }: CommittedPositions,
): Promise<ChangelogTail> {
  const { start, end } = await log.changelog.range()
  const ends = [...metadata.values()].map(({ changelogEnd }) => changelogEnd)
  const whole = [...metadata.values()].every(
    ({ inputs, followerBaseMicros }) => metadata.size >= inputs && followerBaseMicros === null,
  )
  const from = ends.length === 0 ? start : Math.max(start, Math.min(...ends) - (whole ? 0 : 1))
  return readChangelogTail(log, records, from, end)
}

/** What stands in a changelog from `from` to its end; nothing is read where `from` is not before it. */
export async function readChangelogTail(
  log: Pick<TaskView, 'changelog'>,
  records: ChangelogRecords,
  from: number,
  end: number,
): Promise<ChangelogTail> {
  let empty = true
  let lineage: LineageRecord | null = null
  let commit: CommitRecord | null = null
  let goesOn = false
  let generation: number | null = null
  if (from < end) {
    for await (const batch of log.changelog.read(from, end)) {
      for (const entry of batch) {
        empty = false
        const fact = records.factOf(entry)
        goesOn = commit !== null && fact.kind !== 'commit'
        if (fact.kind === 'lineage') lineage = fact.record
        if (fact.kind === 'commit') commit = fact.record
        const of = generationOf(fact)
        if (of !== null) generation = Math.max(generation ?? 0, of)
      }
    }
  }
  return { empty, lineage, commit, goesOn, generation, end }
}

/** The commit record, unless a version that writes none has begun a lineage after it. */
export function commitOfNewestLineage({ lineage, commit }: ChangelogTail): CommitRecord | null {
  return lineage === null || lineage.lineage === commit?.commit.lineage ? commit : null
}

function generationOf(fact: ChangelogFact): number | null {
  switch (fact.kind) {
    case 'lineage':
      return fact.record.generation
    case 'commit':
      return fact.record.commit.generation
    case 'state':
      return fact.generation
    case 'other':
      return null
  }
}
