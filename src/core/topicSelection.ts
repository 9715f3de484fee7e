import { TidemarkError } from './errors.ts'
import { partitionsChanged } from './topicErrors.ts'

/** Which topics a source group reads. */
export type TopicSelection =
  | { readonly kind: 'topics'; readonly topics: readonly string[] }
  | { readonly kind: 'pattern'; readonly pattern: RegExp }

/** The same pattern without memory: with the flag g or y a RegExp goes on where it stopped, and matches every other time. */
export function topicPattern(pattern: RegExp): RegExp {
  return pattern.global || pattern.sticky ? new RegExp(pattern.source, pattern.flags.replaceAll(/[gy]/g, '')) : pattern
}

export function selects(selection: TopicSelection, topic: string): boolean {
  return selection.kind === 'topics' ? selection.topics.includes(topic) : topicPattern(selection.pattern).test(topic)
}

/** The topics of a log, as inputs are chosen among them. */
export interface SelectableTopics {
  /** How many partitions a topic has; undefined: there is none of that name. */
  partitions(name: string): number | undefined
  /** Those that a pattern may choose. */
  readonly names: readonly string[]
  /** The error of an input that a list names and that does not exist, or of a pattern that nothing matches. */
  missing(input: string | RegExp): TidemarkError
}

/**
 * Partition count by topic of everything that is selected now, once, in the order of selection. `dropInputs`: topics of lists that may
 * be missing.
 *
 * @throws what `missing` makes, also where nothing is left to be read.
 */
export function selectInputs(
  { inputs, dropInputs = [] }: { readonly inputs: readonly TopicSelection[]; readonly dropInputs?: readonly string[] },
  topics: SelectableTopics,
): ReadonlyMap<string, number> {
  const found = new Map<string, number>()
  for (const selection of inputs) {
    const isPattern = selection.kind === 'pattern'
    const chosen = isPattern ? topics.names.filter((name) => selects(selection, name)) : selection.topics
    if (isPattern && chosen.length === 0) throw topics.missing(selection.pattern)
    for (const name of chosen) {
      const partitions = topics.partitions(name)
      if (partitions !== undefined) found.set(name, partitions)
      else if (!dropInputs.includes(name)) throw topics.missing(name)
    }
  }
  const [dropped] = dropInputs
  if (found.size === 0 && dropped !== undefined) throw topics.missing(dropped)
  return found
}

/** So many tasks are made by inputs with these partition counts: one for each partition number. */
export function tasksOf(partitionCounts: ReadonlyMap<string, number>): number {
  return Math.max(0, ...partitionCounts.values())
}

/** The topics that have a task's partition. */
export function topicsOfTask(partitionCounts: ReadonlyMap<string, number>, task: number): readonly string[] {
  return [...partitionCounts].flatMap(([topic, partitions]) => (task < partitions ? [topic] : []))
}

export function sameTopics(some: readonly string[], others: readonly string[]): boolean {
  return some.length === others.length && some.every((topic) => others.includes(topic))
}

/** @throws TidemarkError `partitions-changed` when a topic that may not grow has. */
export function checkUnchanged(before: ReadonlyMap<string, number>, now: ReadonlyMap<string, number>): void {
  for (const [topic, count] of now) {
    const known = before.get(topic) ?? count
    if (known !== count) throw partitionsChanged(topic, known, count)
  }
}

/** @throws TidemarkError `invalid-plan` when topics that belong together have different numbers of partitions. */
export function checkCopartitioned(partitionCounts: ReadonlyMap<string, number>): void {
  if (new Set(partitionCounts.values()).size <= 1) return
  const listed = [...partitionCounts].map(([topic, count]) => `${topic} ${String(count)}`).join(', ')
  throw new TidemarkError(
    'invalid-plan',
    `Several sources, or state, need topics with equal partition counts, and these have: ${listed}. Make the topics anew with equal counts`,
  )
}
