import { TidemarkError } from '../../core/errors.ts'
import { selects, type TopicSelection } from '../../core/topicSelection.ts'
import type { TaskInputs } from '../../core/ports/inputs.ts'
import { topicRecreated } from '../../core/topicErrors.ts'

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
