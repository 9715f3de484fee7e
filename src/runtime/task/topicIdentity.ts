import { selects, type TopicSelection } from '../../core/topicSelection.ts'
import { topicRecreated } from '../../core/topicErrors.ts'
import type { CommittedPosition } from '../../core/ports/commitLog.ts'
import type { TaskInputs } from '../../core/ports/inputs.ts'

/** Whether a committed position is of another topic than the one that has its name now; not known of one without an id. */
export function isAnother(inputs: TaskInputs, topic: string, committed: CommittedPosition | undefined): boolean {
  const read = committed?.topicId
  const now = inputs.topicId(topic)
  return read !== undefined && now !== null && read !== now
}

/**
 * Throws `topic-recreated` when a committed position is of another topic than the one that has its name now. A position without
 * an id, as earlier versions commit it, and a topic that was accepted are taken as they are.
 */
export function checkTopicIdentity(
  inputs: TaskInputs,
  topic: string,
  committed: CommittedPosition | undefined,
  accepted: ReadonlySet<string>,
): void {
  if (!isAnother(inputs, topic, committed) || accepted.has(topic)) return
  throw topicRecreated(topic, committed?.topicId ?? null, inputs.topicId(topic))
}

/** What tells which inputs were made anew. */
export interface MadeAnewOptions {
  readonly inputs: TaskInputs
  /** By topic, of the last commit. */
  readonly committed: ReadonlyMap<string, CommittedPosition>
  readonly selections: readonly TopicSelection[]
  readonly acceptTopics: ReadonlySet<string>
}

/**
 * Inputs that only a pattern has chosen, and that were deleted and made anew since the last commit: each is a new input. They
 * are told from those of a copied cluster, where everything has another id, by an input that is still the same.
 */
export function inputsMadeAnew(options: MadeAnewOptions): readonly string[] {
  const { inputs, committed, selections, acceptTopics } = options
  const isSame = (topic: string): boolean => {
    const read = committed.get(topic)?.topicId
    return read !== undefined && read === inputs.topicId(topic)
  }
  if (!inputs.topics.some(isSame)) return []
  const isListed = (topic: string): boolean =>
    selections.some((selection) => selection.kind === 'topics' && selects(selection, topic))
  return inputs.topics.filter(
    (topic) => isAnother(inputs, topic, committed.get(topic)) && !isListed(topic) && !acceptTopics.has(topic),
  )
}
