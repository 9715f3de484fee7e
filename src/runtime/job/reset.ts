import type { ChangelogRecords } from '../../core/changelogRecords.ts'
import type { Clock } from '../../core/ports/clock.ts'
import type { ControlRecord } from '../../core/controlRecord.ts'
import type { JobLog, TaskView } from '../../core/ports/jobLog.ts'
import type { StoredPosition } from '../../core/ports/position.ts'
import type { Logger } from '../../core/ports/logger.ts'
import type { Random } from '../../core/ports/random.ts'
import { startMode, type StartMode } from '../../core/startMode.ts'
import { knownGeneration, readTraces } from '../task/commitTraces.ts'
import { startPosition } from '../task/startPosition.ts'

export interface ResetOptions {
  readonly groupId: string
  readonly records: ChangelogRecords
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
}

/**
 * Decides `--reset-offsets` for the whole job, once: resolves the mode for every partition of every input that exists now,
 * and writes the positions with a new lineage, in a generation above every one that anything is left of. No task is touched;
 * each obeys the record at its next recovery, in whatever process.
 *
 * @throws TidemarkError `invalid-setting` for an offset that a topic does not hold; then nothing was written.
 */
export async function resetJob(jobLog: JobLog, mode: StartMode, options: ResetOptions): Promise<ControlRecord> {
  const { records, clock, random, log, groupId } = options
  const record = await jobLog.replaceControl(async (current) => {
    const tasks = jobLog.tasks()
    const positions = await resolve(tasks, mode)
    const known = await Promise.all(tasks.map(async (task) => knownGeneration(await readTraces(task, records)) ?? -1))
    const topicIds = idsOf(tasks, [...positions.keys()])
    return {
      version: 1,
      lineage: random.hex(16),
      generation: Math.max(current?.generation ?? -1, ...known) + 1,
      request: { id: random.hex(8), mode: startMode.encode(mode), positions, topicIds, atMs: clock.now(), groupId },
    }
  })
  const { generation, request } = record
  log.info('The reset is decided; each partition begins anew when it is recovered', {
    mode: request.mode,
    reset: request.id,
    generation,
  })
  return record
}

/** By topic and partition. What begins at earliest is not listed: nothing that retention removes until then is missed. */
async function resolve(
  tasks: readonly TaskView[],
  mode: StartMode,
): Promise<ReadonlyMap<string, readonly StoredPosition[]>> {
  const positions = new Map<string, StoredPosition[]>()
  if (mode.kind === 'earliest') return positions
  const places = tasks.flatMap((task) => task.inputs.topics.map((topic) => ({ task, topic })))
  const resolved = await Promise.all(
    places.map(async ({ task, topic }) => {
      const position = await startPosition(task, topic, mode)
      return { topic, partition: task.partition, position: task.inputs.format.write(position) }
    }),
  )
  for (const { topic, partition, position } of resolved) {
    const byPartition = positions.get(topic) ?? []
    byPartition[partition] = position
    positions.set(topic, byPartition)
  }
  return positions
}

/** Known once the tasks have read their commits. */
function idsOf(tasks: readonly TaskView[], topics: readonly string[]): ReadonlyMap<string, string> {
  return new Map(
    topics.flatMap((topic) => {
      const id = tasks.map((task) => task.inputs.topicId(topic)).find((known) => known !== null)
      return id === undefined || id === null ? [] : [[topic, id] as const]
    }),
  )
}
