import { topicRecreated } from '../core/topicRecreated.ts'
import type { CommittedOffset, TaskLog } from '../core/taskLog.ts'

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
  const read = committed?.topicId
  const now = log.topicId?.(topic) ?? null
  if (read === undefined || now === null || read === now || accepted.has(topic)) return
  throw topicRecreated(topic, read, now)
}
