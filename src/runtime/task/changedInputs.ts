import { TidemarkError } from '../../core/errors.ts'
import type { CommittedPosition } from '../../core/ports/commitLog.ts'
import type { TaskInputs } from '../../core/ports/inputs.ts'
import { topicRecreated } from '../../core/topicErrors.ts'
import { selects, type TopicSelection } from '../../core/topicSelection.ts'

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

/** What decides whether a task may go on without an input of its last commit. */
export interface LeftInputsOptions {
  readonly inputs: Pick<TaskInputs, 'exists'>
  readonly selections: readonly TopicSelection[]
  /** `--drop-input`. */
  readonly dropInputs: ReadonlySet<string>
  /** Told of each input that is left behind. */
  dropped(topic: string, why: string): void
}

/**
 * Lets a task go on without inputs that its last commit had and that are its own no more. A topic that a pattern had chosen
 * may go, with the topic or with the pattern; one of a list goes only when somebody says so.
 *
 * @throws TidemarkError `input-removed` for a topic that was taken out of a list, `topic-recreated` for one that is listed
 *   and has lost the task's partition.
 */
export async function leaveBehind(topics: readonly string[], options: LeftInputsOptions): Promise<void> {
  const { inputs, selections, dropInputs } = options
  const patterns = selections.filter(({ kind }) => kind === 'pattern')
  for (const topic of topics) {
    const isThere = await inputs.exists(topic)
    const selecting = selections.filter((selection) => selects(selection, topic))
    if (dropInputs.has(topic)) options.dropped(topic, 'as --drop-input says')
    else if (isThere && selecting.some(({ kind }) => kind === 'topics')) throw topicRecreated(topic, null, null)
    else if (patterns.length === 0) throw inputRemoved(topic, isThere)
    else options.dropped(topic, reasonOf(isThere, selecting.length > 0))
  }
}

/** What is there and selected may be there again since the tasks were dealt out without it: it is a new input next time. */
function reasonOf(isThere: boolean, isSelected: boolean): string {
  if (!isThere) return 'the topic was deleted, or is one that the job keeps for itself'
  return isSelected
    ? 'the topic was deleted, and another one that has its name now is not dealt out yet, or lacks the partition'
    : 'no pattern of the job matches it any more'
}

function inputRemoved(topic: string, isThere: boolean): TidemarkError {
  const what = isThere ? 'is not among the topics that the job reads now' : 'does not exist any more'
  return new TidemarkError(
    'input-removed',
    `The last commit of the job has input ${topic}, which ${what}: what was not read of it would never be. Go on without it by --drop-input ${topic}, once; or name the topic again`,
    { details: { topic } },
  )
}
