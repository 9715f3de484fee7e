import { TidemarkError } from '../../core/errors.ts'
import { nearest } from '../../core/nearest.ts'
import type { Lineage } from '../../core/ports/task.ts'
import type { TaskState } from '../../core/ports/taskState.ts'
import type { Plan } from '../plan/plan.ts'

/** What a task has found in its state that nobody reads. */
export interface UnclaimedState {
  readonly uids: readonly string[]
  readonly error: TidemarkError
}

/**
 * Compares the uids that have state with those that the job's steps name. A step whose uid was renamed or removed would
 * begin from nothing, and its state would lie there unread: that is never done silently. Null: every uid is claimed.
 */
export async function unclaimedState(
  state: Pick<TaskState, 'uids'>,
  lineage: Lineage,
  { job, nodes }: Pick<Plan, 'job' | 'nodes'>,
): Promise<UnclaimedState | null> {
  const found = await state.uids(lineage)
  const claimed = nodes.flatMap(({ uid }) => uid ?? [])
  const uids = found.filter((uid) => !claimed.includes(uid))
  if (uids.length === 0) return null
  const withoutState = claimed.filter((uid) => !found.includes(uid))
  const renamed = uids.flatMap((uid) => {
    const meant =
      nearest(uid, withoutState) ?? (uids.length === 1 && withoutState.length === 1 ? withoutState[0] : null)
    return meant === null || meant === undefined
      ? []
      : [`Was '${uid}' renamed to '${meant}'? Then give the step uid: '${uid}' again.`]
  })
  const names = uids.map((uid) => `'${uid}'`).join(', ')
  const error = new TidemarkError(
    'unclaimed-state',
    `Job '${job}' has keyed state of ${uids.length === 1 ? 'uid' : 'uids'} ${names}, and no step claims it: what stands there would not be read, and a step under another uid begins from nothing. ${[...renamed, 'If the state is not needed any more, start with --allow-dropped: it stays in the changelog, and nobody reads it.'].join(' ')}`,
    { details: { job, uids: uids.join(',') } },
  )
  return { uids, error }
}
