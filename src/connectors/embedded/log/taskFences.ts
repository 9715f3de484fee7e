import { TidemarkError } from '../../../core/errors.ts'
import type { TaskId } from '../../../core/ports/task.ts'
import type { StoreWriter } from '../store/storeWriter.ts'

/** What a transaction must show at its commit. */
export type FenceToken = number

/**
 * Who owns each task. One process has the store, so owners can only be older and newer ones inside of it: a restarted
 * attempt and the transaction that its predecessor left behind.
 */
export class TaskFences {
  readonly #tokens = new Map<string, FenceToken>()

  /** Takes a task over once the commits that have begun are done; later ones of older owners are refused. */
  take(task: TaskId, writer: StoreWriter): Promise<FenceToken> {
    return writer.run(() => {
      const token = (this.#tokens.get(taskKey(task)) ?? 0) + 1
      this.#tokens.set(taskKey(task), token)
      return Promise.resolve(token)
    })
  }

  /** Whether that is the last owner of the task. */
  holds(task: TaskId, token: FenceToken | null): boolean {
    return token !== null && this.#tokens.get(taskKey(task)) === token
  }

  /** Throws `commit-failed` for an owner that is not the last one. */
  check(task: TaskId, token: FenceToken | null): void {
    if (this.holds(task, token)) return
    const place = `task ${String(task.partition)} of ${task.job}, group ${task.group}`
    const reason =
      token === null ? 'it was never fenced' : 'another owner has taken the task over since the transaction began'
    throw new TidemarkError('commit-failed', `The commit of ${place} is refused: ${reason}`)
  }
}

function taskKey({ job, group, partition }: TaskId): string {
  return JSON.stringify([job, group, partition])
}
