/** What a topic may be called, in words. */
export const topicNameRule = "a topic name: 1 to 249 of the characters A-Z a-z 0-9 . _ -, and not '.' or '..'"

const allowed = /^[A-Za-z0-9._-]{1,249}$/

/** Whether a log can have a topic of this name; Kafka's own rule. */
export function isTopicName(name: unknown): name is string {
  return typeof name === 'string' && allowed.test(name) && name !== '.' && name !== '..'
}
