import path from 'node:path'
import { changelogOf } from '../../connectors/kafka/topics/kafkaFacts.ts'
import { TidemarkError } from '../../core/errors.ts'
import type { Plan } from '../../runtime/plan/plan.ts'
import type { Loss } from '../confirm.ts'
import type { TableStore, TopicStore } from '../withSystems.ts'

/** What Tidemark has in an embedded directory, all of which `--fresh` deletes. */
export async function lossOfFresh(
  store: Pick<TopicStore, 'listTopics'> & Pick<TableStore, 'listTables'>,
  dataDirectory: string,
): Promise<Loss> {
  const topics = await store.listTopics({ internal: true })
  const tables = await store.listTables()
  return {
    flag: '--fresh',
    sentence: `--fresh deletes all that Tidemark has in ${dataDirectory}`,
    items: [
      ...topics
        .filter(({ internal }) => !internal)
        .map(({ name, endOffsets }) => `topic ${name} (${count(sum(endOffsets), 'record')})`),
      ...tables.map(({ keyspace, table }) => `table ${keyspace}.${table}`),
      ...topics
        .filter(({ internal, endOffsets }) => internal && sum(endOffsets) > 0)
        .map(
          ({ name }) => `positions and state in ${name}, and their copies in ${path.join(dataDirectory, 'embedded')}`,
        ),
    ],
  }
}

/** What a job has made that `--reset-offsets` gives up: its state, and outputs that are written again. */
export async function lossOfReset(
  store: Pick<TopicStore, 'describeTopic' | 'committedOffsets'>,
  { job, groupId, sinks, stateful }: Pick<Plan, 'job' | 'groupId' | 'sinks' | 'stateful'>,
): Promise<Loss> {
  const hasRun = (await store.committedOffsets(groupId)).length > 0 || (await recordsOf(store, changelogOf(job))) > 0
  const items = hasRun && stateful ? ['its keyed state is emptied'] : []
  for (const topic of new Set(sinks.flatMap(({ spec }) => spec.topics))) {
    const records = await recordsOf(store, topic)
    if (records === 0) continue
    items.push(`what is read again is written to topic ${topic} once more, beside its ${count(records, 'record')}`)
  }
  if (hasRun && sinks.some(({ spec }) => spec.topics.length === 0)) {
    items.push('what is read again is written once more to the topics that are chosen per record')
  }
  return { flag: '--reset-offsets', sentence: `--reset-offsets lets job ${job} begin again`, items }
}

/** 0 for a topic that is not there. */
async function recordsOf(store: Pick<TopicStore, 'describeTopic'>, topic: string): Promise<number> {
  try {
    return sum((await store.describeTopic(topic)).endOffsets)
  } catch (error) {
    if (error instanceof TidemarkError && error.code === 'unknown-topic') return 0
    throw error
  }
}

function sum(offsets: readonly number[]): number {
  return offsets.reduce((total, offset) => total + offset, 0)
}

function count(total: number, what: string): string {
  return `${String(total)} ${total === 1 ? what : `${what}s`}`
}
