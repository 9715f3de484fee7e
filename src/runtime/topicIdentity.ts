import { topicRecreated } from '../core/topicRecreated.ts'
import type { CommittedOffset, TaskLog } from '../core/taskLog.ts'

/** Whether a committed offset is of another topic than the one that has its name now; not known of one without an id. */
export function isAnother(log: TaskLog, topic: string, committed: CommittedOffset | undefined): boolean {
  const read = committed?.topicId
  const now = log.topicId?.(topic) ?? null
  return read !== undefined && now !== null && read !== now
}

/**
 * Throws `topic-recreated` when a committed offset is of another topic than the one that has its name now. An offset without
 * an id, as earlier versions commit it, and a topic that was accepted are taken as they are.
 */
export function checkTopicIdentity(
  log: TaskLog,
  topic: string,
  committed: CommittedOffset | undefined,
  accepted: ReadonlySet<string>,
): void {
  if (!isAnother(log, topic, committed) || accepted.has(topic)) return
  throw topicRecreated(topic, committed?.topicId ?? null, log.topicId?.(topic) ?? null)
}
