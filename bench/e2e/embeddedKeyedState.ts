/*
 * A job with keyed state on the embedded world: it counts what it has seen of each key, four records a key, in LevelDB with
 * its changelog, exactly-once with synced commits every second. Loading is not counted.
 *
 *   node bench/e2e/embeddedKeyedState.ts [records]
 */
import { fromKafka } from '../../operators/fromKafka.ts'
import { mapWithState } from '../../operators/mapWithState.ts'
import { toKafkaTransactional } from '../../operators/toKafka.ts'
import type { EmbeddedStore } from '../../src/connectors/embedded/store/embeddedStore.ts'
import { defineJob } from '../../src/runtime/plan/defineJob.ts'
import { measureEmbeddedRun, type EmbeddedRun } from './embeddedRun.ts'

const chunk = 20_000
const recordsPerKey = 4

const job = defineJob({
  name: 'count',
  pipeline: (context) =>
    fromKafka(context, { topic: 'in', groupId: 'count' }).pipe(
      mapWithState(context, {
        uid: 'seen',
        initial: () => ({ seen: 0, last: '' }),
        update: ({ seen }, record) => ({
          state: { seen: seen + 1, last: String(record.value) },
          output: Buffer.from(String(seen + 1)),
        }),
      }),
      toKafkaTransactional(context, { topic: 'counts' }),
    ),
})

/** Counts `records` messages of a fourth as many keys. */
export function measureEmbeddedKeyedState(records = 200_000): Promise<EmbeddedRun> {
  return measureEmbeddedRun(job, (store) => load(store, records))
}

async function load(store: EmbeddedStore, records: number): Promise<void> {
  const keys = Math.ceil(records / recordsPerKey)
  const value = Buffer.from('v'.repeat(100))
  for (let from = 0; from < records; from += chunk) {
    await store.append(
      Array.from({ length: Math.min(chunk, records - from) }, (_, index) => ({
        topic: 'in',
        partition: null,
        key: Buffer.from(`key-${String(((from + index) * 7919) % keys)}`),
        value,
        headers: [],
        timestamp: 1_700_000_000_000 + from + index,
      })),
    )
  }
}

if (import.meta.main) {
  const { result, cpuMicrosPerRecord } = await measureEmbeddedKeyedState(Number(process.argv[2] ?? 200_000))
  console.log(`${String(result.records)} records in ${String(result.durationMs)} ms, ${String(result.epochs)} epochs`)
  console.log(`CPU ${cpuMicrosPerRecord.toFixed(1)} µs a record`)
}
