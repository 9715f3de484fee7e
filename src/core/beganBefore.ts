/** What the last commit of a task has noted: how many partitions its topics had when it began. */
export interface NotedCounts {
  readonly task: number
  readonly partitionCounts: Readonly<Record<string, number>>
}

/**
 * Whether a job had begun before a topic had this partition: each task has noted at its first commit how many partitions its
 * topics had, and they are those that have the task's own. So a topic that task 2 has not noted had two partitions at most,
 * which says nothing of the first two.
 */
export function beganBefore(noted: readonly NotedCounts[], topic: string, partition: number): boolean {
  return noted.some(({ task, partitionCounts }) => (partitionCounts[topic] ?? task) <= partition)
}
