import { changelogTopicName } from '../../core/ownNames.ts'
import type { HeldLog } from '../../core/ports/jobLogs.ts'
import type { Topics } from '../../core/ports/topics.ts'
import type { Plan } from '../../runtime/plan/plan.ts'
import { endOffsetsOf } from '../commands/readRecords.ts'
import type { Loss } from '../confirm.ts'

/** What Tidemark has in a log that this process holds, all of which `--fresh` deletes. */
export async function lossOfFresh(held: HeldLog, dataDirectory: string): Promise<Loss> {
  return {
    flag: '--fresh',
    sentence: `--fresh deletes all that Tidemark has in ${dataDirectory}`,
    items: await held.contents(),
  }
}

/** What a job has made that `--reset-offsets` gives up: its state, and outputs that are written again. */
export async function lossOfReset(
  topics: Topics,
  { job, groupId, sinks, stateful }: Pick<Plan, 'job' | 'groupId' | 'sinks' | 'stateful'>,
): Promise<Loss> {
  const hasRun =
    (await topics.committedOffsets(groupId)).length > 0 ||
    (await recordsOf(topics, changelogTopicName({ job, group: 'source' }))) > 0
  const items = hasRun && stateful ? ['its keyed state is emptied'] : []
  for (const topic of new Set(sinks.flatMap(({ spec }) => spec.topics))) {
    const records = await recordsOf(topics, topic)
    if (records === 0) continue
    items.push(
      `what is read again is written to topic ${topic} once more, beside its ${String(records)} ${records === 1 ? 'record' : 'records'}`,
    )
  }
  if (hasRun && sinks.some(({ spec }) => spec.topics.length === 0)) {
    items.push('what is read again is written once more to the topics that are chosen per record')
  }
  return { flag: '--reset-offsets', sentence: `--reset-offsets lets job ${job} begin again`, items }
}

/** 0 for a topic that is not there. */
async function recordsOf(topics: Topics, topic: string): Promise<number> {
  return (await endOffsetsOf(topics, topic)).reduce((total, offset) => total + offset, 0)
}
